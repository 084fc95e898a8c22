package process

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"upkeep/internal/cms"
)

// fixedAge is how long the answer of a fixed script is believed at most; that
// the interpreter's file changed is noticed at once.
const fixedAge = 24 * time.Hour

// maxFixed bounds how many answers are kept.
const maxFixed = 100

// fixed is what a script said whose answer depends on the interpreter alone.
type fixed struct {
	Answer json.RawMessage `json:"answer"`
	At     time.Time       `json:"at"`
}

// fixedKey names what a fixed script says with the interpreter at path, as its
// file is now. A command that chooses by the folder may choose another one there.
func fixedKey(path string, script cms.Script) string {
	resolved, err := filepath.EvalSymlinks(path)
	if err != nil {
		resolved = path
	}
	mark := path + "\x00" + resolved + "\x00" + script.Dir + "\x00" + script.Source
	if info, err := os.Stat(resolved); err == nil {
		mark += fmt.Sprint(info.Size(), info.ModTime().UnixNano())
		if st, ok := info.Sys().(*syscall.Stat_t); ok {
			mark += fmt.Sprint(st.Dev, st.Ino, st.Ctim.Nano())
		}
	}
	sum := sha256.Sum256([]byte(mark))
	return hex.EncodeToString(sum[:16])
}

// recall returns what a fixed script said, nil when that is not known.
func (p *Interpreter) recall(key string) []byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.fixed == nil {
		p.fixed = map[string]fixed{}
		if text, err := os.ReadFile(p.Memory); err == nil && json.Unmarshal(text, &p.fixed) != nil {
			clear(p.fixed) // it is asked again
		}
	}
	if known, ok := p.fixed[key]; ok && time.Since(known.At) < fixedAge {
		return known.Answer
	}
	return nil
}

// remember keeps what a fixed script said, for later processes too.
func (p *Interpreter) remember(key string, answer []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.fixed) >= maxFixed {
		clear(p.fixed)
	}
	p.fixed[key] = fixed{Answer: answer, At: time.Now()}
	text, err := json.Marshal(p.fixed)
	if err != nil || p.Memory == "" {
		return
	}
	if err := os.WriteFile(p.Memory+".new", text, 0o600); err == nil {
		_ = os.Rename(p.Memory+".new", p.Memory) // what is not kept is asked again
	}
}
