CREATE TABLE /*_*/tally_{{table}} (tally_page INTEGER NOT NULL, tally_count INTEGER NOT NULL, PRIMARY KEY (tally_page)) /*$wgDBTableOptions*/;
