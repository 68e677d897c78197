package account

import (
	"errors"
	"fmt"
	"regexp"
	"sync"
)

// Account is one tenant.
type Account struct {
	ID   string // 12 digits
	Name string
}

// Key is an access key.
type Key struct {
	ID      string // "AKIA…" or any other string of 4 to 128 word characters
	Secret  string
	Account string // the account's ID
}

// Errors of Add.
var (
	ErrBadAccount = errors.New("an account id is 12 digits")
	ErrBadKey     = errors.New("an access key id is 4 to 128 letters, digits, '_' or '-', and its secret isn't empty")
	ErrTaken      = errors.New("access key id is already in use")
)

var (
	accountID = regexp.MustCompile(`^[0-9]{12}$`)
	keyID     = regexp.MustCompile(`^[A-Za-z0-9_-]{4,128}$`)
)

// Directory holds accounts and keys. The zero Directory is empty and ready.
type Directory struct {
	mu       sync.RWMutex // guards the following
	accounts map[string]Account
	keys     map[string]Key
}

// AddAccount adds or renames an account.
func (d *Directory) AddAccount(a Account) error {
	if !accountID.MatchString(a.ID) {
		return fmt.Errorf("account %q: %w", a.ID, ErrBadAccount)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.accounts == nil {
		d.accounts = map[string]Account{}
	}
	d.accounts[a.ID] = a
	return nil
}

// AddKey adds a key of an account that has been added.
func (d *Directory) AddKey(k Key) error {
	if !keyID.MatchString(k.ID) || k.Secret == "" {
		return fmt.Errorf("access key %q: %w", k.ID, ErrBadKey)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if _, ok := d.accounts[k.Account]; !ok {
		return fmt.Errorf("access key %q: account %q is not configured", k.ID, k.Account)
	}
	if _, ok := d.keys[k.ID]; ok {
		return fmt.Errorf("access key %q: %w", k.ID, ErrTaken)
	}
	if d.keys == nil {
		d.keys = map[string]Key{}
	}
	d.keys[k.ID] = k
	return nil
}

// Lookup returns the key's secret, its account and the ARN of the principal that
// it speaks for.
func (d *Directory) Lookup(id string) (secret, account, principal string, ok bool) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	k, ok := d.keys[id]
	if !ok {
		return "", "", "", false
	}
	return k.Secret, k.Account, Principal(k.Account), true
}

// Accounts returns the ids of all accounts, in no order.
func (d *Directory) Accounts() []string {
	d.mu.RLock()
	defer d.mu.RUnlock()
	ids := make([]string, 0, len(d.accounts))
	for id := range d.accounts {
		ids = append(ids, id)
	}
	return ids
}

// Principal returns the ARN of an account's root user, for whom every key
// speaks until there are users.
func Principal(account string) string { return "arn:aws:iam::" + account + ":root" }
