package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/fairlead/fairlead/internal/failpoint"
)

// envFailpoint is NAME or NAME:N: the process kills itself, as kill -9 would,
// when it reaches the failpoint of the name for the N-th time, by default the
// first. It is for tests of what a crash leaves behind.
const envFailpoint = "FAIRLEAD_FAILPOINT"

func armFailpoint() error {
	value := os.Getenv(envFailpoint)
	if value == "" {
		return nil
	}
	name, count, counted := strings.Cut(value, ":")
	at := int64(1)
	if counted {
		var err error
		if at, err = strconv.ParseInt(count, 10, 64); err != nil || at < 1 {
			return fmt.Errorf("%s: %q is not a name, or a name, a colon and a number from 1 on", envFailpoint, value)
		}
	}
	self, err := os.FindProcess(os.Getpid())
	if err != nil {
		return fmt.Errorf("%s: %w", envFailpoint, err)
	}
	var hits atomic.Int64
	failpoint.SetHook(func(hit string) {
		if hit == name && hits.Add(1) == at {
			_ = self.Kill()
			select {} // not one step further, however late the signal comes
		}
	})
	return nil
}
