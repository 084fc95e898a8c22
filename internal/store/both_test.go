package store_test

import (
	"fmt"
	"slices"
	"testing"
)

// onBoth runs a test on either database: what records promise, they promise in both.
func onBoth(t *testing.T, test func(*testing.T, kind)) {
	t.Helper()
	for _, on := range []kind{sqlite, postgresql} {
		t.Run(string(on), func(t *testing.T) { test(t, on) })
	}
}

func TestHosts(t *testing.T)                      { onBoth(t, testHosts) }
func TestApplications(t *testing.T)               { onBoth(t, testApplications) }
func TestReleaseHolds(t *testing.T)               { onBoth(t, testReleaseHolds) }
func TestInterventionsLeaveEvidence(t *testing.T) { onBoth(t, testInterventionsLeaveEvidence) }
func TestUntouchedSitesProveNothing(t *testing.T) { onBoth(t, testUntouchedSitesProveNothing) }
func TestWavesAreLaidDownOnce(t *testing.T)       { onBoth(t, testWavesAreLaidDownOnce) }
func TestTransitionsInDatabaseAreTheVocabulary(t *testing.T) {
	onBoth(t, testTransitionsInDatabaseAreTheVocabulary)
}
func TestDatabaseRefusesOtherTransitions(t *testing.T) {
	onBoth(t, testDatabaseRefusesOtherTransitions)
}
func TestIntervention(t *testing.T)             { onBoth(t, testIntervention) }
func TestInterventionsFilter(t *testing.T)      { onBoth(t, testInterventionsFilter) }
func TestLeaseTakeover(t *testing.T)            { onBoth(t, testLeaseTakeover) }
func TestEvents(t *testing.T)                   { onBoth(t, testEvents) }
func TestLedgerRows(t *testing.T)               { onBoth(t, testLedgerRows) }
func TestPlansAreShippedAndEdited(t *testing.T) { onBoth(t, testPlansAreShippedAndEdited) }
func TestSubscriptionsCountFromTheirPlan(t *testing.T) {
	onBoth(t, testSubscriptionsCountFromTheirPlan)
}
func TestWindowsAreSomebodys(t *testing.T)   { onBoth(t, testWindowsAreSomebodys) }
func TestSightingsKeepTheFirst(t *testing.T) { onBoth(t, testSightingsKeepTheFirst) }
func TestApprovalsCloseTheTask(t *testing.T) { onBoth(t, testApprovalsCloseTheTask) }
func TestAttemptsCountFailures(t *testing.T) { onBoth(t, testAttemptsCountFailures) }
func TestTheFleetIsHeldOnce(t *testing.T)    { onBoth(t, testTheFleetIsHeldOnce) }
func TestSite(t *testing.T)                  { onBoth(t, testSite) }
func TestSiteLayout(t *testing.T)            { onBoth(t, testSiteLayout) }
func TestInventory(t *testing.T)             { onBoth(t, testInventory) }
func TestFeedAnswers(t *testing.T)           { onBoth(t, testFeedAnswers) }
func TestBackup(t *testing.T)                { onBoth(t, testBackup) }
func TestTaskAndHold(t *testing.T)           { onBoth(t, testTaskAndHold) }
func TestSecret(t *testing.T)                { onBoth(t, testSecret) }
func TestManyProcessesOpenNew(t *testing.T)  { onBoth(t, testManyProcessesOpenNew) }
func TestTwoProcessesWrite(t *testing.T)     { onBoth(t, testTwoProcessesWrite) }
func TestKilledWhileWriting(t *testing.T)    { onBoth(t, testKilledWhileWriting) }

// TestSchemasAreTheSame: both databases have the same tables with the same
// columns, and the same migrations made them.
func TestSchemasAreTheSame(t *testing.T) {
	columns := func(on kind, query string) (names []string) {
		_, _, place := newDB(t, on)
		rows, err := raw(t, place).Query(query)
		must(t, err)
		defer rows.Close()
		for rows.Next() {
			var name string
			must(t, rows.Scan(&name))
			names = append(names, name)
		}
		must(t, rows.Err())
		return names
	}
	ours := columns(sqlite, `SELECT m.name || '.' || c.name || CASE WHEN c."notnull" OR c.pk THEN ' not null' ELSE '' END
		FROM sqlite_schema m JOIN pragma_table_info(m.name) c WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite_%'
		UNION ALL SELECT name FROM migration`)
	theirs := columns(postgresql, `SELECT table_name || '.' || column_name || CASE WHEN is_nullable = 'NO' THEN ' not null' ELSE '' END
		FROM information_schema.columns WHERE table_schema = 'public' UNION ALL SELECT name FROM migration`)
	slices.Sort(ours)
	slices.Sort(theirs)
	if fmt.Sprint(ours) != fmt.Sprint(theirs) {
		t.Errorf("SQLite has\n%v\nPostgreSQL has\n%v", ours, theirs)
	}
}
