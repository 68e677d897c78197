package oidc

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hkdf"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"math/big"
	"time"

	"github.com/fairlead/fairlead/internal/proxy/keyring"
)

// Keys are what a load balancer's nodes seal and sign with.
type Keys struct {
	// ID is the name of the key that signs: "kid" in the header of tokens, in the form
	// of a UUID, as ELB's are. It is a hash of the key, so that no two have the same.
	ID string

	// PEM is its public half, as ELB serves it: SubjectPublicKeyInfo.
	PEM []byte

	signer   *ecdsa.PrivateKey // on P-256
	sessions *keyring.Ring
	states   *keyring.Ring
}

// MaxTimeout is the longest that a session can last (ELBv2
// AuthenticateOidcActionConfig.SessionTimeout).
const MaxTimeout = 7 * 24 * time.Hour

// NewKeys derives the keys from a load balancer's secret.
func NewKeys(secret []byte) (*Keys, error) {
	signer, err := deriveSigner(secret)
	if err != nil {
		return nil, err
	}
	der, err := x509.MarshalPKIXPublicKey(&signer.PublicKey)
	if err != nil {
		return nil, fmt.Errorf("encode the key of a load balancer's tokens: %w", err)
	}
	sum := sha256.Sum256(der)
	id := hex.EncodeToString(sum[:16])
	return &Keys{
		ID:     id[:8] + "-" + id[8:12] + "-" + id[12:16] + "-" + id[16:20] + "-" + id[20:],
		PEM:    pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}),
		signer: signer,
		// An expired session is told from none at all for as long as a cookie lives.
		sessions: keyring.New(secret, "fairlead oidc session", MaxTimeout),
		states:   keyring.New(secret, "fairlead oidc state", stateLife),
	}, nil
}

// deriveSigner returns the key that signs tokens. It stays: applications may keep its
// public half. The number is drawn from more bits than the curve's order has, so that
// reducing it leaves no bias to speak of (FIPS 186-5 §A.2.1).
func deriveSigner(secret []byte) (*ecdsa.PrivateKey, error) {
	const extra = 8
	curve := elliptic.P256()
	bits, err := hkdf.Key(sha256.New, secret, nil, "fairlead oidc signature", 32+extra)
	if err != nil {
		return nil, fmt.Errorf("derive the key of a load balancer's tokens: %w", err)
	}
	one := big.NewInt(1)
	d := new(big.Int).SetBytes(bits)
	d.Mod(d, new(big.Int).Sub(curve.Params().N, one)).Add(d, one)
	key, err := ecdsa.ParseRawPrivateKey(curve, d.FillBytes(make([]byte, 32)))
	if err != nil {
		return nil, fmt.Errorf("derive the key of a load balancer's tokens: %w", err)
	}
	return key, nil
}
