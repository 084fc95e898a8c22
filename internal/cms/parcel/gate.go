package parcel

import (
	_ "embed"
	"strings"
)

//go:embed scripts/code.php
var codeSource string

// codeMark stands in a gate where what holds a valid token asks about code. There
// $upkeep_root is the folder of the scripts.
const codeMark = "// upkeep: code\n"

// Gate returns a gate of PHP's with what all of them do for cms.ResetHeader and
// cms.CompileHeader, in the place of codeMark.
func Gate(source string) string { return strings.Replace(source, codeMark, codeSource, 1) }
