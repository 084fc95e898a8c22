package engine_test

import "testing"

// onBoth runs a test on either database: what the queue promises, it promises in both.
func onBoth(t *testing.T, test func(*testing.T, kind)) {
	t.Helper()
	t.Parallel()
	for _, on := range []kind{sqlite, postgresql} {
		t.Run(string(on), func(t *testing.T) { t.Parallel(); test(t, on) })
	}
}

func TestRunsJobsAndAgain(t *testing.T)          { onBoth(t, testRunsJobsAndAgain) }
func TestUniqueWhileUnfinished(t *testing.T)     { onBoth(t, testUniqueWhileUnfinished) }
func TestEnqueueBringsForward(t *testing.T)      { onBoth(t, testEnqueueBringsForward) }
func TestErrorsAndPanicsAreRetried(t *testing.T) { onBoth(t, testErrorsAndPanicsAreRetried) }
func TestTimeoutIsTold(t *testing.T)             { onBoth(t, testTimeoutIsTold) }
func TestStaleGetsAJob(t *testing.T)             { onBoth(t, testStaleGetsAJob) }
func TestStopHandsOver(t *testing.T)             { onBoth(t, testStopHandsOver) }
func TestGraceLetsJobsEnd(t *testing.T)          { onBoth(t, testGraceLetsJobsEnd) }
func TestKilledProcess(t *testing.T)             { onBoth(t, testKilledProcess) }
func TestSuspendedProcess(t *testing.T)          { onBoth(t, testSuspendedProcess) }
func TestManyJobsManyProcesses(t *testing.T)     { onBoth(t, testManyJobsManyProcesses) }
