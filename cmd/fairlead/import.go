package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/fairlead/fairlead/internal/client"
	"github.com/fairlead/fairlead/internal/inventory"
	"github.com/fairlead/fairlead/internal/wire"
)

// api is the flags of a command that calls the API.
type api struct {
	Endpoint string `help:"Call the API there (default: AWS_ENDPOINT_URL, the client files, http://127.0.0.1:7480)." placeholder:"URL"`
	Region   string `help:"Call it for this region (default: AWS_REGION, the client files)." placeholder:"NAME"`
	DataDir  string `name:"data-dir" help:"Take the key from the data directory of a server on this machine, if the environment has none (default ${default})." default:"${data_dir}" placeholder:"DIR" type:"path"`
}

func (a api) client() (wire.Client, error) {
	return client.Find(client.Settings{Endpoint: a.Endpoint, Region: a.Region, DataDir: a.DataDir, Env: os.Getenv})
}

type importCmd struct {
	api
	Pool  string `arg:"" help:"The id of the pool to allocate in; the region is its locale."`
	File  string `arg:"" help:"CSV with a header (cidr, description, tag:KEY…), or NetBox's prefixes or IP addresses as JSON or CSV."`
	Apply bool   `help:"Allocate. Without it the command only tells what it would do."`
	VRF   string `help:"Take only the lines of this VRF; global for those without one." placeholder:"NAME"`
}

var errConflicts = errors.New("nothing was allocated")

// Run allocates what a file names, all of it or nothing.
func (c *importCmd) Run(ctx context.Context, std streams) error {
	content, err := os.ReadFile(c.File)
	if err != nil {
		return err
	}
	found, err := inventory.Read(content, inventory.Options{VRF: c.VRF})
	if err != nil {
		return fmt.Errorf("%s: %w", c.File, err)
	}
	api, err := c.client()
	if err != nil {
		return err
	}
	tell := func(kind string, notes []inventory.Note) {
		for _, n := range notes {
			_, _ = fmt.Fprintf(std.out, "%s:%d: %s: %s\n", c.File, n.Line, kind, n.Text)
		}
	}
	tell("skipped", found.Skipped)
	tell("wrong", found.Wrong)
	into := inventory.NewImporter(api, c.Pool)
	work := into.Check
	if c.Apply && len(found.Wrong) == 0 {
		work = into.Import
	}
	conflicts, err := work(ctx, found.Entries)
	if err != nil {
		return err
	}
	tell("conflict", conflicts)
	switch {
	case len(found.Wrong)+len(conflicts) > 0:
		return fmt.Errorf("%d lines of %s stand in the way: %w", len(found.Wrong)+len(conflicts), c.File, errConflicts)
	case c.Apply:
		_, err = fmt.Fprintf(std.out, "%d blocks allocated in %s\n", len(found.Entries), c.Pool)
	default:
		_, err = fmt.Fprintf(std.out, "%d blocks can be allocated in %s; --apply does it\n", len(found.Entries), c.Pool)
	}
	return err
}
