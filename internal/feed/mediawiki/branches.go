package mediawiki

import (
	"strconv"
	"strings"
	"time"
)

// ends are the days after which branches get no more releases, as Wikimedia's
// page of the version lifecycle has them.
var ends = map[string]string{
	"1.31": "2021-09-30", "1.32": "2020-01-24", "1.33": "2020-06-24", "1.34": "2020-11-30", "1.35": "2023-12-21", "1.36": "2022-05-31",
	"1.37": "2022-11-30", "1.38": "2023-06-30", "1.39": "2025-12-31", "1.40": "2024-06-30", "1.41": "2024-12-31", "1.42": "2025-06-30",
	"1.43": "2027-12-31", "1.44": "2026-06-30", "1.45": "2026-12-31",
}

// endOf is the last day of a branch; zero when it is not known. Branches before
// those that are listed ended long ago.
func endOf(branch string) time.Time {
	text := ends[branch]
	if n := minor(branch); text == "" && n > 0 && n < 31 {
		text = ends["1.32"]
	}
	end, err := time.Parse(time.DateOnly, text)
	if err != nil {
		return time.Time{}
	}
	return end
}

// minor is the second number of a branch, 0 when it has none.
func minor(branch string) int {
	n, err := strconv.Atoi(strings.TrimPrefix(branch, "1."))
	if err != nil {
		return 0
	}
	return n
}

// longTerm reports whether a branch has long support: every fourth since 1.19.
func longTerm(branch string) bool {
	n := minor(branch)
	return n >= 19 && (n-19)%4 == 0
}

// oldestFor is the oldest branch whose wikis a release of branch can take over:
// since 1.36 the last but one with long support before it. "" is any.
func oldestFor(branch string) string {
	n := minor(branch)
	if n < 36 {
		return ""
	}
	for n--; (n-19)%4 != 0; n-- {
	}
	return "1." + strconv.Itoa(n-4)
}
