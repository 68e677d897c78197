package store

import "errors"

// ErrConflict says that a transaction kept meeting others on the same records.
// It is transient: the same call may succeed a moment later.
var ErrConflict = errors.New("store: too many concurrent changes to the same records")

// ErrTooLarge says that a transaction has more guards, operations or bytes than
// one commit may have (MaxTxnOps, MaxTxnBytes). Nothing was written.
var ErrTooLarge = errors.New("store: transaction too large")

// ErrClosed says that the store is not running.
var ErrClosed = errors.New("store: closed")
