package web

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"upkeep"
)

// Sites implements Sites.
func (c *Client) Sites(ctx context.Context) ([]Site, error) { return get[[]Site](ctx, c, "/v1/sites") }

// Site implements Sites.
func (c *Client) Site(ctx context.Context, name string) (*Site, error) {
	return object[Site](ctx, c, Request{Method: http.MethodGet, Path: sitePath(name, "")})
}

// AddSite implements Sites.
func (c *Client) AddSite(ctx context.Context, actor string, req AddSiteRequest) (*Site, error) {
	return object[Site](ctx, c, Request{http.MethodPost, "/v1/sites", actor, req})
}

// SetPolicy implements Sites.
func (c *Client) SetPolicy(ctx context.Context, actor, name string, policy upkeep.Policy) (*Site, error) {
	return object[Site](ctx, c, Request{http.MethodPut, sitePath(name, "/policy"), actor, policy})
}

// RemoveSite implements Sites.
func (c *Client) RemoveSite(ctx context.Context, actor, name string) error {
	_, err := Call[struct{}](ctx, c, Request{http.MethodDelete, sitePath(name, ""), actor, nil})
	return err
}

// Inventory implements Inventories.
func (c *Client) Inventory(ctx context.Context, site string, refresh bool) (*upkeep.Inventory, error) {
	path := sitePath(site, "/inventory") + params("refresh", strconv.FormatBool(refresh))
	return object[upkeep.Inventory](ctx, c, Request{Method: http.MethodGet, Path: path})
}

// Freeze implements Gates.
func (c *Client) Freeze(ctx context.Context, actor, site string, limit time.Duration) (*GateState, error) {
	body := FreezeRequest{For: upkeep.Duration(limit)}
	return object[GateState](ctx, c, Request{http.MethodPost, sitePath(site, "/freeze"), actor, body})
}

// Thaw implements Gates.
func (c *Client) Thaw(ctx context.Context, actor, site string) (*GateState, error) {
	return object[GateState](ctx, c, Request{http.MethodPost, sitePath(site, "/thaw"), actor, nil})
}

// VerifySite implements Checks.
func (c *Client) VerifySite(ctx context.Context, site string) (*upkeep.Verdict, error) {
	return object[upkeep.Verdict](ctx, c, Request{Method: http.MethodPost, Path: sitePath(site, "/verify")})
}

// Updates implements Updates.
func (c *Client) Updates(ctx context.Context, site string, refresh bool) (*UpdateList, error) {
	path := sitePath(site, "/updates") + params("refresh", strconv.FormatBool(refresh))
	return object[UpdateList](ctx, c, Request{Method: http.MethodGet, Path: path})
}

// StartIntervention implements Updates.
func (c *Client) StartIntervention(ctx context.Context, actor, site string, req InterventionRequest) (*upkeep.Intervention, error) {
	return object[upkeep.Intervention](ctx, c, Request{http.MethodPost, sitePath(site, "/interventions"), actor, req})
}

// ProposeUpdates implements Updates.
func (c *Client) ProposeUpdates(ctx context.Context, actor, site string) (*Proposal, error) {
	return object[Proposal](ctx, c, Request{http.MethodPost, sitePath(site, "/propose"), actor, nil})
}

// Interventions implements Interventions.
func (c *Client) Interventions(ctx context.Context, filter InterventionFilter) ([]Record, error) {
	return get[[]Record](ctx, c, "/v1/interventions"+
		params("site", filter.Site, "state", string(filter.State), "limit", strconv.Itoa(filter.Limit)))
}

// Intervention implements Interventions.
func (c *Client) Intervention(ctx context.Context, id upkeep.InterventionID) (*Record, error) {
	return object[Record](ctx, c, Request{Method: http.MethodGet, Path: idPath("interventions", id, "")})
}

// Events implements Interventions.
func (c *Client) Events(ctx context.Context, id upkeep.InterventionID, after int64) ([]upkeep.Event, error) {
	return get[[]upkeep.Event](ctx, c, idPath("interventions", id, "/events")+params("after", strconv.FormatInt(after, 10)))
}

// Follow implements Interventions.
func (c *Client) Follow(ctx context.Context, id upkeep.InterventionID, after int64, send func(Tick) error) error {
	path := idPath("interventions", id, "/follow") + params("after", strconv.FormatInt(after, 10))
	_, err := follow[struct{}](ctx, c, Request{Method: http.MethodGet, Path: path}, func(line Line) error {
		return send(Tick{Event: line.Event, Intervention: line.Intervention})
	})
	return err
}

// CancelIntervention implements Interventions.
func (c *Client) CancelIntervention(ctx context.Context, actor string, id upkeep.InterventionID) (*upkeep.Intervention, error) {
	return object[upkeep.Intervention](ctx, c, Request{http.MethodPost, idPath("interventions", id, "/cancel"), actor, nil})
}

// Backups implements Backups.
func (c *Client) Backups(ctx context.Context, site string) ([]Backup, error) {
	return get[[]Backup](ctx, c, "/v1/backups"+params("site", site))
}

// Backup implements Backups.
func (c *Client) Backup(ctx context.Context, id upkeep.BackupID) (*Backup, error) {
	return object[Backup](ctx, c, Request{Method: http.MethodGet, Path: idPath("backups", id, "")})
}

// CreateBackup implements Backups.
func (c *Client) CreateBackup(ctx context.Context, actor, site, note string, progress func(upkeep.Progress)) (*Backup, error) {
	req := Request{http.MethodPost, sitePath(site, "/backups"), actor, CreateBackupRequest{Note: note}}
	return follow[Backup](ctx, c, req, progressOnly(progress))
}

// VerifyBackup implements Backups.
func (c *Client) VerifyBackup(ctx context.Context, actor string, id upkeep.BackupID, deep bool, progress func(upkeep.Progress)) (*BackupCheck, error) {
	req := Request{http.MethodPost, idPath("backups", id, "/verify"), actor, VerifyBackupRequest{Deep: deep}}
	return follow[BackupCheck](ctx, c, req, progressOnly(progress))
}

// DiffBackup implements Backups.
func (c *Client) DiffBackup(ctx context.Context, id, to upkeep.BackupID) ([]upkeep.Difference, error) {
	return get[[]upkeep.Difference](ctx, c, idPath("backups", id, "/diff")+params("to", to.String()))
}

// PlanRestore implements Restores.
func (c *Client) PlanRestore(ctx context.Context, id upkeep.BackupID, req RestoreRequest) (*RestorePlan, error) {
	return object[RestorePlan](ctx, c, Request{Method: http.MethodPost, Path: idPath("backups", id, "/plan"), Body: req})
}

// RestoreBackup implements Restores.
func (c *Client) RestoreBackup(ctx context.Context, actor string, id upkeep.BackupID, req RestoreRequest, progress func(upkeep.Progress)) (*RestoreResult, error) {
	return follow[RestoreResult](ctx, c, Request{http.MethodPost, idPath("backups", id, "/restore"), actor, req}, progressOnly(progress))
}

// PruneBackups implements Restores.
func (c *Client) PruneBackups(ctx context.Context, actor, site string, req PruneRequest, progress func(upkeep.Progress)) (*PruneResult, error) {
	return follow[PruneResult](ctx, c, Request{http.MethodPost, sitePath(site, "/prune"), actor, req}, progressOnly(progress))
}

// Entries implements Ledger.
func (c *Client) Entries(ctx context.Context, filter LedgerFilter) ([]LedgerEntry, error) {
	return get[[]LedgerEntry](ctx, c, "/v1/ledger"+
		params("site", filter.Site, "after", strconv.FormatInt(filter.After, 10), "limit", strconv.Itoa(filter.Limit)))
}

// VerifyLedger implements Ledger.
func (c *Client) VerifyLedger(ctx context.Context) (*LedgerCheck, error) {
	return object[LedgerCheck](ctx, c, Request{Method: http.MethodGet, Path: "/v1/ledger/check"})
}

// Requirements implements Doctor.
func (c *Client) Requirements(ctx context.Context) ([]Requirement, error) {
	return get[[]Requirement](ctx, c, "/v1/doctor")
}
