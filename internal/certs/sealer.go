package certs

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// A key file is one line: keyFileHead and the base64 of sealingKeyBytes random
// bytes.
const (
	keyFileHead     = "fairlead-sealing-key-1 "
	sealingKeyBytes = 32 // AES-256
)

// sealVersion begins what Seal writes: version, id of the sealing key, then nonce
// and ciphertext as AES-256-GCM has them. A random nonce of 96 bits is good for
// 2^32 messages under one key (NIST SP 800-38D §8.3).
const (
	sealVersion = 1
	sealIDBytes = 8
)

// Sealer encrypts private keys for the store, and decrypts them for who serves
// with them. It never changes and has no secret in its printed form.
type Sealer struct {
	aead cipher.AEAD
	id   [sealIDBytes]byte // of the sealing key: the beginning of its SHA-256
	path string
}

// errOtherKey says that something was sealed under another key file.
var errOtherKey = errors.New("sealed under another key file")

// OpenKeyFile reads the sealing key, and makes one with mode 0600 if there is no
// file. One that others than its owner can read is refused.
func OpenKeyFile(path string) (*Sealer, error) {
	line, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		if err := makeKeyFile(path); err != nil {
			return nil, fmt.Errorf("make certificate key file: %w", err)
		}
		line, err = os.ReadFile(path)
	}
	if err != nil {
		return nil, fmt.Errorf("read certificate key file: %w", err)
	}
	st, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("read certificate key file: %w", err)
	}
	if mode := st.Mode().Perm(); mode&0o077 != 0 {
		return nil, fmt.Errorf("certificate key file %s can be read by others (mode %04o): chmod 600 it", path, mode)
	}
	text, ok := strings.CutPrefix(strings.TrimSpace(string(line)), keyFileHead)
	key, err := base64.StdEncoding.DecodeString(text)
	if !ok || err != nil || len(key) != sealingKeyBytes {
		return nil, fmt.Errorf("certificate key file %s is damaged: put back the one that the server made", path)
	}
	return newSealer(key, path)
}

func newSealer(key []byte, path string) (*Sealer, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("certificate key file: %w", err)
	}
	s := &Sealer{path: path}
	if s.aead, err = cipher.NewGCMWithRandomNonce(block); err != nil {
		return nil, fmt.Errorf("certificate key file: %w", err)
	}
	sum := sha256.Sum256(key)
	copy(s.id[:], sum[:])
	return s, nil
}

// makeKeyFile writes a new key under a name of its own and links it to path, so
// that of two servers that start at once both read one whole key.
func makeKeyFile(path string) error {
	key := make([]byte, sealingKeyBytes)
	_, _ = rand.Read(key)                                                 // never fails (crypto/rand)
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*") // mode 0600
	if err != nil {
		return err
	}
	_, err = f.WriteString(keyFileHead + base64.StdEncoding.EncodeToString(key) + "\n")
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		if err = os.Link(f.Name(), path); errors.Is(err, fs.ErrExist) {
			err = nil
		}
	}
	return errors.Join(err, os.Remove(f.Name()), syncDir(filepath.Dir(path)))
}

// syncDir makes a directory's new names durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// Seal encrypts secret, which Open gives back for the same subject alone: put
// into another record it is worth nothing.
func (s *Sealer) Seal(secret []byte, subject string) []byte {
	out := append([]byte{sealVersion}, s.id[:]...)
	return s.aead.Seal(out, nil, secret, []byte(subject))
}

// Open decrypts what Seal made for the subject. Its error says nothing of the
// secret.
func (s *Sealer) Open(sealed []byte, subject string) ([]byte, error) {
	if err := s.check(sealed); err != nil {
		return nil, fmt.Errorf("open what is sealed for %s: %w", subject, err)
	}
	secret, err := s.aead.Open(nil, nil, sealed[1+sealIDBytes:], []byte(subject))
	if err != nil {
		return nil, fmt.Errorf("open what is sealed for %s: it was altered, or sealed for another", subject)
	}
	return secret, nil
}

// check says whether sealed is of this format and key.
func (s *Sealer) check(sealed []byte) error {
	switch {
	case len(sealed) < 1+sealIDBytes || sealed[0] != sealVersion:
		return errors.New("not in a form that this program knows")
	case !bytes.Equal(sealed[1:1+sealIDBytes], s.id[:]):
		return errOtherKey
	}
	return nil
}
