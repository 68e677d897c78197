// Package client finds the API that the program's own commands call: endpoint,
// region and key, from where AWS's clients find them, so that what works for the
// aws command works here. Of their many sources it knows the environment and the
// two files. Start reading at Find.
package client

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/fairlead/fairlead/internal/wire"
)

// Settings say where to look. Env is os.Getenv but for tests.
type Settings struct {
	Endpoint, Region string // of the command line; "" for none
	DataDir          string // of a server on this machine, which leaves its clients' files there
	Env              func(name string) string
}

// DefaultEndpoint is where a server listens that isn't told otherwise.
const DefaultEndpoint = "http://127.0.0.1:7480"

// Find returns a client without a service. The command line comes first, then
// the environment, then the files: those that the environment names, else the
// data directory's, else those in the home directory.
func Find(s Settings) (wire.Client, error) {
	profile := cmp.Or(s.Env("AWS_PROFILE"), "default")
	settings, err := readProfile(s.file("AWS_CONFIG_FILE", "config"), profile, "profile "+profile)
	if err != nil {
		return wire.Client{}, err
	}
	secrets, err := readProfile(s.file("AWS_SHARED_CREDENTIALS_FILE", "credentials"), profile)
	if err != nil {
		return wire.Client{}, err
	}
	c := wire.Client{
		Endpoint:    cmp.Or(s.Endpoint, s.Env("AWS_ENDPOINT_URL"), settings["endpoint_url"], DefaultEndpoint),
		Region:      cmp.Or(s.Region, s.Env("AWS_REGION"), s.Env("AWS_DEFAULT_REGION"), settings["region"]),
		AccessKeyID: s.Env("AWS_ACCESS_KEY_ID"),
		Secret:      s.Env("AWS_SECRET_ACCESS_KEY"),
	}
	if c.AccessKeyID == "" {
		c.AccessKeyID, c.Secret = secrets["aws_access_key_id"], secrets["aws_secret_access_key"]
	}
	c.Endpoint = strings.TrimSuffix(c.Endpoint, "/")
	switch {
	case c.Region == "":
		return wire.Client{}, errors.New("no region: give --region, or set AWS_REGION")
	case c.AccessKeyID == "" || c.Secret == "":
		return wire.Client{}, fmt.Errorf("no access key: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_SHARED_CREDENTIALS_FILE, or give --data-dir of a server on this machine (looked in %s)", s.DataDir)
	}
	return c, nil
}

// file returns the path of one of the two files.
func (s Settings) file(variable, name string) string {
	if path := s.Env(variable); path != "" {
		return path
	}
	if path := filepath.Join(s.DataDir, "aws", name); s.DataDir != "" && exists(path) {
		return path
	}
	return filepath.Join(s.Env("HOME"), ".aws", name)
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// readProfile returns the settings of a file's sections that have one of the
// names. A file that isn't there has none.
func readProfile(path string, names ...string) (map[string]string, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read client settings: %w", err)
	}
	defer func() { _ = f.Close() }()
	found := map[string]string{}
	inside := false
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		line := strings.TrimSpace(lines.Text())
		if section, ok := strings.CutPrefix(line, "["); ok {
			section = strings.TrimSpace(strings.TrimSuffix(section, "]"))
			inside = false
			for _, name := range names {
				inside = inside || section == name
			}
			continue
		}
		if key, value, ok := strings.Cut(line, "="); ok && inside && !strings.HasPrefix(line, "#") {
			found[strings.TrimSpace(key)] = strings.TrimSpace(value)
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	return found, nil
}
