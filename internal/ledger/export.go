package ledger

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"io"
	"time"

	"upkeep"
)

// Checkpoint is a signed statement of where the ledger ended at an instant.
// Who holds one can tell whether an export made later was cut or rewritten.
type Checkpoint struct {
	Seq       int64     `json:"seq"`
	Hash      string    `json:"hash"` // of the entry Seq; zeros for an empty ledger
	At        time.Time `json:"at"`
	Signature []byte    `json:"signature,omitempty"` // Ed25519 over the canonical JSON without this member
}

func (c Checkpoint) signed() ([]byte, error) {
	c.Signature = nil
	text, err := json.Marshal(c)
	if err != nil {
		return nil, err
	}
	canonical, err := Canonical(text)
	return append([]byte("upkeep ledger checkpoint\n"), canonical...), err
}

// Verify checks the signature against the public key. CodeDamaged when it does
// not hold.
func (c Checkpoint) Verify(key ed25519.PublicKey) error {
	message, err := c.signed()
	if err != nil {
		return err
	}
	if len(key) != ed25519.PublicKeySize || !ed25519.Verify(key, message, c.Signature) {
		return upkeep.Errorf(upkeep.CodeDamaged, "the signature of the checkpoint at entry %d does not hold", c.Seq).
			WithHint("Check that the public key is that of the ledger's owner.")
	}
	return nil
}

// Export writes all entries to w as they are, one canonical JSON object a
// line, and last the line {"checkpoint":…} signed with key. The ledger is
// verified on the way: a damaged one is exported up to the damage and gives
// its error.
func (l *Ledger) Export(ctx context.Context, w io.Writer, key ed25519.PrivateKey) (_ Checkpoint, err error) {
	defer upkeep.Wrap(&err, "export ledger")
	out := bufio.NewWriter(w)
	head := link{hash: genesis}
	write := func(entry upkeep.LedgerEntry, err error) error {
		if err != nil {
			return err
		}
		hash, err := Hash(entry)
		if err != nil {
			return damaged(entry.Seq, err)
		}
		if err := head.next(entry, hash); err != nil {
			return err
		}
		return writeLine(out, entry)
	}
	for entry, err := range l.Entries(ctx) {
		if err := write(entry, err); err != nil {
			return Checkpoint{}, errors.Join(err, out.Flush())
		}
	}
	checkpoint := Checkpoint{Seq: head.seq, Hash: head.hash, At: l.Clock().UTC().Truncate(time.Microsecond)}
	message, err := checkpoint.signed()
	if err != nil {
		return Checkpoint{}, err
	}
	checkpoint.Signature = ed25519.Sign(key, message)
	if err := writeLine(out, map[string]Checkpoint{"checkpoint": checkpoint}); err != nil {
		return Checkpoint{}, err
	}
	return checkpoint, out.Flush()
}

func writeLine(w *bufio.Writer, value any) error {
	text, err := json.Marshal(value)
	if err != nil {
		return err
	}
	if text, err = Canonical(text); err != nil {
		return err
	}
	_, err = w.Write(append(text, '\n'))
	return err
}

// maxLine bounds one line of an export.
const maxLine = 16 << 20

// VerifyExport reads what Export wrote and checks it with nothing else at
// hand: every hash, every link, the checkpoint and its signature. It returns
// the checkpoint. CodeDamaged names the first entry that does not hold, or the
// checkpoint; more than one checkpoint may stand in an export, each over what
// precedes it, and the last line must be one.
func VerifyExport(r io.Reader, key ed25519.PublicKey) (checkpoint Checkpoint, err error) {
	defer upkeep.Wrap(&err, "verify ledger export")
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxLine)
	head := link{hash: genesis}
	closed := false
	for lines.Scan() {
		if text, ok := checkpointLine(lines.Bytes()); ok {
			if checkpoint, err = verifyCheckpoint(text, head, key); err != nil {
				return Checkpoint{}, err
			}
			closed = true
			continue
		}
		if err := head.nextLine(lines.Bytes()); err != nil {
			return Checkpoint{}, err
		}
		closed = false
	}
	if err := lines.Err(); err != nil {
		return Checkpoint{}, damaged(head.seq+1, err)
	}
	if !closed {
		return Checkpoint{}, damaged(head.seq+1, upkeep.Phrase("the export ends without a checkpoint"))
	}
	return checkpoint, nil
}

func checkpointLine(line []byte) (json.RawMessage, bool) {
	var members map[string]json.RawMessage
	if json.Unmarshal(line, &members) != nil || len(members) != 1 {
		return nil, false
	}
	text, ok := members["checkpoint"]
	return text, ok
}

func verifyCheckpoint(text []byte, head link, key ed25519.PublicKey) (Checkpoint, error) {
	var checkpoint Checkpoint
	if err := json.Unmarshal(text, &checkpoint); err != nil {
		return Checkpoint{}, damaged(head.seq+1, upkeep.Phrase("its checkpoint is not readable"))
	}
	if err := checkpoint.Verify(key); err != nil {
		return Checkpoint{}, err
	}
	if checkpoint.Seq != head.seq {
		return Checkpoint{}, damaged(min(checkpoint.Seq, head.seq)+1, upkeep.Phrase("the checkpoint was signed at another entry"))
	}
	if checkpoint.Hash != head.hash {
		return Checkpoint{}, damaged(head.seq, upkeep.Phrase("the checkpoint was signed over another chain"))
	}
	return checkpoint, nil
}

// nextLine takes an entry as it stands in an export.
func (l *link) nextLine(line []byte) error {
	var entry upkeep.LedgerEntry
	decoder := json.NewDecoder(bytes.NewReader(line))
	if err := decoder.Decode(&entry); err != nil {
		return damaged(l.seq+1, upkeep.Phrase("not readable"))
	}
	hash, err := hashText(line)
	if err != nil {
		return damaged(l.seq+1, err)
	}
	return l.next(entry, hash)
}
