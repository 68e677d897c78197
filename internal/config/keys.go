package config

import (
	"fmt"
	"os"
)

// Keys is the content of an account's keys file.
type Keys struct {
	Keys []AccessKey `yaml:"keys"`
}

// AccessKey is one access key.
type AccessKey struct {
	ID     string `yaml:"access-key-id"`
	Secret string `yaml:"secret-access-key"`
}

// ReadKeys reads a keys file. One that others than its owner can read is
// refused: it holds secrets.
func ReadKeys(path string) ([]AccessKey, error) {
	st, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("read keys: %w", err)
	}
	if mode := st.Mode().Perm(); mode&0o077 != 0 {
		return nil, fmt.Errorf("keys file %s can be read by others (mode %04o): chmod 600 it", path, mode)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read keys: %w", err)
	}
	var k Keys
	if err := decodeStrict(path, b, &k); err != nil {
		return nil, err
	}
	return k.Keys, nil
}
