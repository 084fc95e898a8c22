package main

import (
	"context"

	"upkeep"
	"upkeep/internal/web"
)

func (m *memory) ScanHost(ctx context.Context, actor string, req web.ScanRequest) (*web.ScanResult, error) {
	m.changed("scan", req.Host, actor)
	found, err := m.Applications(ctx)
	return &web.ScanResult{Places: []string{"/srv"}, Applications: found[:3], New: []upkeep.ApplicationID{2}, Gone: []upkeep.ApplicationID{3},
		Cut: []upkeep.Cut{{Path: "/srv/deep", Why: upkeep.CutDeep}}}, err
}

func (m *memory) Applications(context.Context) ([]web.Application, error) {
	return []web.Application{
		{Hosted: upkeep.Hosted{ID: 1, Discovery: upkeep.Discovery{Root: "/srv/shop", URLs: []string{"https://shop.test"}, CMS: upkeep.WordPress, Version: "6.4.5",
			Owner: "shop", Database: "shop", Bytes: 81 << 20}}, Site: "shop", Status: web.Covered},
		{Hosted: upkeep.Hosted{ID: 2, Discovery: upkeep.Discovery{Root: "/srv/shop/old", URLs: []string{"https://shop.test/old"}, CMS: upkeep.WordPress, Version: "4.9",
			Owner: "shop", Within: "/srv/shop", Bytes: 40 << 20}}, Status: web.Uncovered},
		{Hosted: upkeep.Hosted{ID: 3, Discovery: upkeep.Discovery{Root: "/srv/wiki", CMS: upkeep.DokuWiki, Owner: "wiki"}}, Status: web.Gone},
		{Hosted: upkeep.Hosted{Discovery: upkeep.Discovery{Root: "/srv/blog", URLs: []string{"https://blog.test"}, CMS: upkeep.WordPress}}, Site: "blog", Status: web.Covered},
	}, nil
}

func (m *memory) AdoptApplication(ctx context.Context, actor string, id upkeep.ApplicationID, req web.AddSiteRequest) (*web.Site, error) {
	if id != 2 {
		return nil, upkeep.Errorf(upkeep.CodeNotFound, "application %s does not exist", id)
	}
	if !req.DryRun {
		m.changed("application_adopt", id.String(), actor)
	}
	return m.Site(ctx, "shop.example")
}

func (m *memory) DismissApplication(ctx context.Context, actor string, id upkeep.ApplicationID, because string) (*web.Application, error) {
	found, err := m.Applications(ctx)
	if because == "" {
		return nil, upkeep.Errorf(upkeep.CodeInvalid, "a reason is missing").WithHint("Say why with --because.")
	}
	m.changed("application_dismiss", id.String()+" "+because, actor)
	return &found[1], err
}
