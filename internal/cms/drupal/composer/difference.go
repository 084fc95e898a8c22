package composer

import (
	"github.com/aymanbagabas/go-udiff"

	"upkeep/internal/cms"
)

// Difference says how the lock of the latest copy differs from the project's, in the
// unified form; "" when there is no copy or nothing differs.
func (w *Workshop) Difference() (string, error) {
	state, err := w.Latest()
	if err != nil || state == nil {
		return "", err
	}
	var texts []string
	for _, dir := range []string{w.Project, state.Copy} {
		root, err := w.Host.Open(dir)
		if err != nil {
			return "", err
		}
		text, err := cms.ReadBounded(root, Lock, MaxList)
		root.Close()
		if err != nil {
			return "", err
		}
		texts = append(texts, string(text))
	}
	return udiff.Unified("a/"+Lock, "b/"+Lock, texts[0], texts[1]), nil
}
