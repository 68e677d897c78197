package node_test

import (
	"net/netip"
	"path/filepath"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"github.com/fairlead/fairlead/internal/snapshot"
)

// withFile opens the assignment of a host that is stopped.
func withFile(t *testing.T, dir string, f func(tx *bbolt.Tx) error) {
	t.Helper()
	db, err := bbolt.Open(filepath.Join(dir, "assignment.db"), 0o600, &bbolt.Options{Timeout: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.Update(f); err != nil {
		t.Fatal(err)
	}
}

// I7: a host starts from the file of a program that knew no trust stores, and keeps
// there those that it is told of from then on.
func TestAHostStartsFromTheFileOfAnOlderProgram(t *testing.T) {
	bucket := []byte("trust-stores")
	p := newPlane()
	dir, addr, target := t.TempDir(), netip.MustParseAddr("192.0.2.146"), echoTarget(t, "still here")
	h := startHost(t, dir, p, loopback(t, dir))
	p.assignments <- assignment(7, addr, target)
	bound := p.await(t, "has a ready node", ready).Nodes[0].Bound
	h.stop()
	withFile(t, dir, func(tx *bbolt.Tx) error { return tx.DeleteBucket(bucket) })

	p.down.Store(true)
	h = startHost(t, dir, p, loopback(t, dir))
	<-h.agent.Restored()
	if got := get(t, bound); got != "still here" {
		t.Errorf("after the restart: %q", got)
	}
	p.down.Store(false)
	next := assignment(8, addr, target)
	next.TrustStores = []*snapshot.TrustStore{{ARN: "arn:people", Authorities: [][]byte{{1}}}}
	p.assignments <- next
	p.await(t, "is about the new assignment", func(r *snapshot.Report) bool { return r.Revision == 8 })
	h.stop()
	withFile(t, dir, func(tx *bbolt.Tx) error {
		if b := tx.Bucket(bucket); b == nil || b.Get([]byte("arn:people")) == nil {
			t.Error("the trust store isn't in the file")
		}
		return nil
	})
}
