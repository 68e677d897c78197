package attach

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"sync"
)

var (
	loopbackNet = netip.MustParsePrefix("127.0.0.0/8")

	// shadowNet is the upper half of the loopback net: the lower half stays free
	// for what people put there by hand.
	shadowNet = netip.MustParsePrefix("127.128.0.0/9")
)

// shadowHosts is how many shadow addresses there are: all of shadowNet but its
// first and last address, which some programs take for network and broadcast.
const shadowHosts = 1<<23 - 2

// rememberedShadows is how many shadows are kept on file. Beyond it those in no
// use are forgotten; most come out of the hash the same again.
const rememberedShadows = 4096

// shadowFile is the file's name in the driver's directory.
const shadowFile = "shadows.json"

// shadowFormat is the file's format.
const shadowFormat = 1

// LoopbackDriver serves every address inside 127.0.0.0/8. An address that lies
// there is used as it is; any other has a shadow address in 127.128.0.0/9, the
// same one each time, also after a restart.
//
// A shadow is never an address that a node has of its own. Should a node come
// with an address that is another's shadow right now, it is served on a shadow
// itself: two nodes never share an address.
type LoopbackDriver struct {
	path string // of the file

	mu      sync.Mutex                // guards the following
	nodes   map[string]attachment     // by node ID
	bound   map[netip.Addr]int        // how many nodes listen on each address that one does
	shadows map[netip.Addr]netip.Addr // by the node's address
	owners  map[netip.Addr]netip.Addr // the other way round
}

type attachment struct{ addr, bound netip.Addr }

// shadowRecord is the file's content.
type shadowRecord struct {
	Version int
	Shadows map[netip.Addr]netip.Addr
}

// NewLoopback returns the loopback driver that keeps its shadow addresses in dir,
// which it makes if need be. A damaged file is an error that says what to do: starting
// without it would move running addresses.
func NewLoopback(dir string) (*LoopbackDriver, error) {
	d := &LoopbackDriver{
		path:    filepath.Join(dir, shadowFile),
		nodes:   map[string]attachment{},
		bound:   map[netip.Addr]int{},
		shadows: map[netip.Addr]netip.Addr{},
		owners:  map[netip.Addr]netip.Addr{},
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("directory of shadow addresses: %w", err)
	}
	b, err := os.ReadFile(d.path)
	if errors.Is(err, fs.ErrNotExist) {
		return d, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read shadow addresses: %w", err)
	}
	var r shadowRecord
	if err := json.Unmarshal(b, &r); err != nil {
		return nil, fmt.Errorf("read shadow addresses from %s (remove the file to assign them anew): %w", d.path, err)
	}
	if r.Version > shadowFormat {
		return nil, fmt.Errorf("read shadow addresses from %s: format %d is newer than this program's %d", d.path, r.Version, shadowFormat)
	}
	for addr, shadow := range r.Shadows {
		if _, taken := d.owners[shadow]; taken || !shadowNet.Contains(shadow) {
			return nil, fmt.Errorf("read shadow addresses from %s: %s can't be the shadow of %s (remove the file to assign them anew)", d.path, shadow, addr)
		}
		d.remember(addr, shadow)
	}
	return d, nil
}

// Attach implements Driver.
func (d *LoopbackDriver) Attach(_ context.Context, nodeID string, addr netip.Addr) (netip.Addr, error) {
	if !addr.IsValid() || addr.IsUnspecified() || addr.IsMulticast() {
		return netip.Addr{}, fmt.Errorf("attach address %s of node %s: %w", addr, nodeID, ErrUnsupported)
	}
	addr = addr.Unmap().WithZone("")
	d.mu.Lock()
	defer d.mu.Unlock()
	if a, ok := d.nodes[nodeID]; ok && a.addr == addr {
		return a.bound, nil
	}
	d.release(nodeID)
	bound, err := d.bind(addr)
	if err != nil {
		return netip.Addr{}, fmt.Errorf("attach address %s of node %s: %w", addr, nodeID, err)
	}
	d.nodes[nodeID] = attachment{addr: addr, bound: bound}
	d.bound[bound]++
	return bound, nil
}

// Detach implements Driver. The address's shadow stays remembered.
func (d *LoopbackDriver) Detach(_ context.Context, nodeID string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.release(nodeID)
	return nil
}

// release takes a node off its address. d.mu is held.
func (d *LoopbackDriver) release(nodeID string) {
	a, ok := d.nodes[nodeID]
	if !ok {
		return
	}
	delete(d.nodes, nodeID)
	if d.bound[a.bound]--; d.bound[a.bound] == 0 {
		delete(d.bound, a.bound)
	}
}

// remember and forget keep both maps of shadows. d.mu is held.
func (d *LoopbackDriver) remember(addr, shadow netip.Addr) {
	d.shadows[addr], d.owners[shadow] = shadow, addr
}

func (d *LoopbackDriver) forget(addr netip.Addr) {
	delete(d.owners, d.shadows[addr])
	delete(d.shadows, addr)
}

// bind returns the address that addr is served on. d.mu is held.
func (d *LoopbackDriver) bind(addr netip.Addr) (netip.Addr, error) {
	if shadow, ok := d.shadows[addr]; ok {
		if !d.inUse(shadow) {
			return shadow, nil
		}
		d.forget(addr)
	} else if loopbackNet.Contains(addr) && !d.inUse(addr) {
		// A remembered shadow that nobody uses gives way.
		if real, ok := d.owners[addr]; ok {
			d.forget(real)
			return addr, d.save()
		}
		return addr, nil
	}
	shadow, err := d.free(addr)
	if err != nil {
		return netip.Addr{}, err
	}
	if len(d.shadows) >= rememberedShadows {
		for real, s := range d.shadows {
			if !d.inUse(s) {
				d.forget(real)
			}
		}
	}
	d.remember(addr, shadow)
	if err := d.save(); err != nil {
		d.forget(addr)
		return netip.Addr{}, err
	}
	return shadow, nil
}

// inUse says whether a node listens on the address. d.mu is held.
func (d *LoopbackDriver) inUse(bound netip.Addr) bool { return d.bound[bound] > 0 }

// free returns the first shadow address from the hash of addr on that no other
// address has. d.mu is held.
func (d *LoopbackDriver) free(addr netip.Addr) (netip.Addr, error) {
	h := fnv.New32a()
	h.Write(addr.AsSlice())
	start := h.Sum32() % shadowHosts
	for i := range uint32(shadowHosts) {
		if s := shadow((start + i) % shadowHosts); s != addr && !d.inUse(s) {
			if _, taken := d.owners[s]; !taken {
				return s, nil
			}
		}
	}
	return netip.Addr{}, errors.New("no shadow address left in " + shadowNet.String())
}

// shadow returns the i-th shadow address, from 0.
func shadow(i uint32) netip.Addr {
	i++
	return netip.AddrFrom4([4]byte{127, 128 | byte(i>>16), byte(i >> 8), byte(i)})
}

// save writes the file so that a crash leaves the old one or the new one. d.mu
// is held.
func (d *LoopbackDriver) save() error {
	b, err := json.MarshalIndent(shadowRecord{Version: shadowFormat, Shadows: d.shadows}, "", "\t")
	if err != nil {
		return fmt.Errorf("encode shadow addresses: %w", err)
	}
	f, err := os.CreateTemp(filepath.Dir(d.path), shadowFile+".*")
	if err != nil {
		return fmt.Errorf("write shadow addresses: %w", err)
	}
	_, err = f.Write(append(b, '\n'))
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), d.path)
	}
	if err != nil {
		return fmt.Errorf("write shadow addresses: %w", errors.Join(err, os.Remove(f.Name())))
	}
	return nil
}
