package layout

import (
	"encoding/json"
	"math/rand/v2"
	"os/exec"
	"strings"
	"testing"
)

// theRule is wpdb::parse_db_host over each input.
const theRule = `
echo json_encode(array_map(function ($host) {
	$socket = '';
	if (false !== $at = strpos($host, ':/')) {
		$socket = substr($host, $at + 1);
		$host = substr($host, 0, $at);
	}
	$ipv6 = substr_count($host, ':') > 1;
	$form = $ipv6 ? '#^(?:\[)?(?P<host>[0-9a-fA-F:]+)(?:\]:(?P<port>[\d]+))?#' : '#^(?P<host>[^:/]*)(?::(?P<port>[\d]+))?#';
	if (1 !== preg_match($form, $host, $m)) return null;
	return [empty($m['host']) ? '' : $m['host'], empty($m['port']) ? 0 : abs((int) $m['port']), $socket, $ipv6];
}, json_decode(stream_get_contents(STDIN), true)));`

func TestDBHostAsWordPressReadsIt(t *testing.T) {
	interpreter, err := exec.LookPath("php")
	if err != nil {
		t.Skip("no PHP to compare with")
	}
	r := rand.New(rand.NewPCG(4, 4))
	pieces := []string{"localhost", "db", "127.0.0.1", "::1", "[", "]", ":", ":", "/", "/run/x.sock", "3306", "0", "00", "fe80", "%", "p:", " ", "\n", "x", "-1", "65535"}
	hosts := make([]string, 5_000)
	for i := range hosts {
		for range r.IntN(6) {
			hosts[i] += pieces[r.IntN(len(pieces))]
		}
	}
	input, err := json.Marshal(hosts)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), interpreter, "-n", "-r", theRule)
	cmd.Stdin = strings.NewReader(string(input))
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var answers [][]any
	if err := json.Unmarshal(out, &answers); err != nil {
		t.Fatal(err)
	}
	for i, want := range answers {
		got, ok := parseDBHost(hosts[i])
		if ok != (want != nil) {
			t.Errorf("%q: %v", hosts[i], ok)
			continue
		}
		if ok && (got.host != want[0] || float64(got.port) != want[1] || got.socket != want[2] || got.ipv6 != want[3]) {
			t.Errorf("%q: %+v, want %v", hosts[i], got, want)
		}
	}
}
