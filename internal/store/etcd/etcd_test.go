package etcd_test

import (
	"fmt"
	"os"
	"testing"

	"go.uber.org/goleak"

	"github.com/fairlead/fairlead/internal/store"
	"github.com/fairlead/fairlead/internal/store/etcd"
	"github.com/fairlead/fairlead/internal/store/storetest"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(victimDir); dir != "" {
		fmt.Println(victim(dir))
		os.Exit(1)
	}
	goleak.VerifyTestMain(m)
}

func open(t *testing.T) store.Engine { return openDir(t, t.TempDir()) }

// openDir opens an engine that the test's cleanup closes.

func openDir(t *testing.T, dir string) store.Engine {
	t.Helper()
	e, err := etcd.Open(t.Context(), etcd.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	return e
}

func TestEngine(t *testing.T) { storetest.Run(t, open) }

func TestStore(t *testing.T) { storetest.RunStore(t, open) }
