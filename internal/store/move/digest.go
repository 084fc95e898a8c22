package move

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math/big"
)

// digest is that of a set of rows: the sum of theirs, since either database
// sorts text by rules of its own.
type digest struct {
	rows int
	sum  *big.Int
}

func newDigest() *digest { return &digest{sum: new(big.Int)} }

// String returns the digest in hexadecimal.
func (d *digest) String() string {
	modulus := new(big.Int).Lsh(big.NewInt(1), 8*sha256.Size)
	return fmt.Sprintf("%064x", new(big.Int).Mod(d.sum, modulus))
}

func (d *digest) add(rows [][]any) {
	for _, row := range rows {
		sum := rowSum(row)
		d.sum.Add(d.sum, new(big.Int).SetBytes(sum[:]))
	}
	d.rows += len(rows)
}

// rowSum hashes each value with its type and its length, so that no two rows
// read the same.
func rowSum(row []any) (sum [sha256.Size]byte) {
	h := sha256.New()
	for _, value := range row {
		text := fmt.Appendf(nil, "%v", value)
		if raw, ok := value.([]byte); ok {
			text = raw
		}
		fmt.Fprintf(h, "%T", value)
		_ = binary.Write(h, binary.BigEndian, int64(len(text))) // a hash takes everything
		h.Write(text)
	}
	return [sha256.Size]byte(h.Sum(nil))
}
