package server

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/fairlead/fairlead/internal/account"
	"github.com/fairlead/fairlead/internal/config"
	"github.com/fairlead/fairlead/internal/ids"
)

// Variables that give the root account's key instead of one made on first start.
const (
	envRootKeyID  = "FAIRLEAD_ROOT_ACCESS_KEY_ID"
	envRootSecret = "FAIRLEAD_ROOT_SECRET_ACCESS_KEY"
)

// directory returns the configured accounts with their keys, and the root key.
func directory(cfg config.Config) (*account.Directory, config.AccessKey, error) {
	var root config.AccessKey
	d := new(account.Directory)
	if err := d.AddAccount(account.Account{ID: cfg.RootAccount, Name: "root"}); err != nil {
		return nil, root, err
	}
	root, err := rootKey(cfg.DataDir)
	if err != nil {
		return nil, root, err
	}
	if err := d.AddKey(account.Key{ID: root.ID, Secret: root.Secret, Account: cfg.RootAccount}); err != nil {
		return nil, root, err
	}
	for _, a := range cfg.Accounts {
		if err := d.AddAccount(account.Account{ID: a.ID, Name: a.Name}); err != nil {
			return nil, root, err
		}
		if a.KeysFile == "" {
			continue
		}
		keys, err := config.ReadKeys(a.KeysFile)
		if err != nil {
			return nil, root, fmt.Errorf("account %s: %w", a.ID, err)
		}
		for _, k := range keys {
			if err := d.AddKey(account.Key{ID: k.ID, Secret: k.Secret, Account: a.ID}); err != nil {
				return nil, root, err
			}
		}
	}
	return d, root, nil
}

// rootKey returns the root account's access key: from the environment, else as
// kept in the data directory, else a new one, which it keeps there.
func rootKey(dataDir string) (config.AccessKey, error) {
	id, secret := os.Getenv(envRootKeyID), os.Getenv(envRootSecret)
	if (id == "") != (secret == "") {
		return config.AccessKey{}, fmt.Errorf("set both %s and %s, or neither", envRootKeyID, envRootSecret)
	}
	if id != "" {
		return config.AccessKey{ID: id, Secret: secret}, nil
	}
	path := filepath.Join(dataDir, "keys", "root.yaml")
	keys, err := config.ReadKeys(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return config.AccessKey{}, err
	case len(keys) == 0:
		return config.AccessKey{}, fmt.Errorf("%s holds no key: delete it to have one made", path)
	default:
		return keys[0], nil
	}
	k := config.AccessKey{ID: strings.ToUpper(ids.New("AKIA", 16)), Secret: ids.New("", 40)}
	text := fmt.Sprintf("# The root account's access key. Whoever has it has every right.\nkeys:\n  - access-key-id: %s\n    secret-access-key: %s\n", k.ID, k.Secret)
	return k, writeSecret(path, text)
}

// writeClientFiles writes AWS client configuration that leads to this server.
func writeClientFiles(cfg config.Config, endpoint string, key config.AccessKey) error {
	dir := filepath.Join(cfg.DataDir, "aws")
	err := writeSecret(filepath.Join(dir, "config"), fmt.Sprintf(
		"[default]\nregion = %s\nendpoint_url = %s\ncli_pager =\n", cfg.Regions[0].Name, endpoint))
	if err != nil {
		return err
	}
	return writeSecret(filepath.Join(dir, "credentials"), fmt.Sprintf(
		"[default]\naws_access_key_id = %s\naws_secret_access_key = %s\n", key.ID, key.Secret))
}

// writeSecret replaces the file whole, readable by its owner alone.
func writeSecret(path, text string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	tmp := path + ".new"
	if err := os.WriteFile(tmp, []byte(text), 0o600); err != nil {
		return err
	}
	return os.Rename(tmp, path)
}
