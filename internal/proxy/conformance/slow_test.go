package conformance_test

import (
	"io"
	"net/http"
	"net/netip"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead/internal/proxy"
)

// slowhttptest plays clients that are slow on purpose. Others are served meanwhile,
// and the slow ones are ended by our timers.
func TestSlowClientsAreEndedAndHoldNobodyUp(t *testing.T) {
	program, err := exec.LookPath("slowhttptest")
	if err != nil {
		t.Skip("slowhttptest isn't installed")
	}
	addr := startProxy(t, []netip.AddrPort{startMixedTarget(t)}, proxy.Options{MaxConnections: 300, HeadTimeout: 2 * time.Second})[0]
	for name, args := range map[string][]string{
		"slow heads":   {"-H", "-i", "1"},
		"slow bodies":  {"-B", "-i", "1", "-s", "100000"},
		"slow readers": {"-X", "-w", "10", "-y", "20", "-n", "1", "-z", "32", "-k", "3"},
	} {
		t.Run(name, func(t *testing.T) {
			url := "http://" + addr + "/large"
			cmd := exec.Command(program, append(args, "-c", "200", "-r", "200", "-l", "5", "-u", url, "-p", "1")...)
			out, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			said := make(chan string)
			go func() {
				b, _ := io.ReadAll(out)
				said <- string(b)
			}()
			client := &http.Client{Transport: &http.Transport{}, Timeout: 3 * time.Second}
			defer client.CloseIdleConnections()
			served := 0
			for done := false; !done; {
				select {
				case text := <-said:
					done = true
					if strings.Contains(text, "service available:   NO") && !strings.Contains(text, "YES") {
						t.Errorf("never available:\n%s", text)
					}
				default:
					resp, err := client.Get("http://" + addr + "/small")
					if err != nil || resp.StatusCode != http.StatusOK {
						t.Errorf("after %d requests: %v", served, err)
					}
					if err == nil {
						_, _ = io.Copy(io.Discard, resp.Body)
						_ = resp.Body.Close()
					}
					served++
					time.Sleep(20 * time.Millisecond) // a client that isn't slow, nor in a hurry
				}
			}
			_ = cmd.Wait()
			t.Logf("%d requests were served meanwhile", served)
			if served < 20 {
				t.Errorf("only %d requests were served meanwhile", served)
			}
		})
	}
}
