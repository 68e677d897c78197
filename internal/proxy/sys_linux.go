package proxy

import (
	"net/netip"
	"syscall"
	"unsafe"
)

// The calls of this file don't wait, but one: their descriptors don't block. So
// they are made without telling the scheduler, which would cost more than most of them.

// sysRead reads into b, which isn't empty, from a socket: recvfrom is a seventh cheaper
// than read, which is for files first.
func sysRead(fd int, b []byte) (int, syscall.Errno) {
	n, _, errno := syscall.RawSyscall6(syscall.SYS_RECVFROM, uintptr(fd), uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)), 0, 0, 0)
	if errno != 0 {
		return 0, errno
	}
	return int(n), 0
}

// sysWrite writes from b, which isn't empty, without a signal if nobody reads.
func sysWrite(fd int, b []byte) (int, syscall.Errno) {
	n, _, errno := syscall.RawSyscall6(syscall.SYS_SENDTO, uintptr(fd), uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)), syscall.MSG_NOSIGNAL, 0, 0)
	if errno != 0 {
		return 0, errno
	}
	return int(n), 0
}

// sysPeek looks at what has come in and leaves it there.
func sysPeek(fd int) readable {
	var b [1]byte
	n, _, errno := syscall.RawSyscall6(syscall.SYS_RECVFROM, uintptr(fd), uintptr(unsafe.Pointer(&b[0])), 1, syscall.MSG_PEEK|syscall.MSG_DONTWAIT, 0, 0)
	switch {
	case errno == syscall.EAGAIN || errno == syscall.EINTR:
		return quiet
	case errno != 0 || n == 0:
		return gone
	}
	return pending
}

// sysClose closes a descriptor. What it can say matters to nobody any more.
func sysClose(fd int) { _, _, _ = syscall.RawSyscall(syscall.SYS_CLOSE, uintptr(fd), 0, 0) }

// sysReset has the next close tell the peer that something went wrong.
func sysReset(fd int) {
	_ = syscall.SetsockoptLinger(fd, syscall.SOL_SOCKET, syscall.SO_LINGER, &syscall.Linger{Onoff: 1})
}

// epollEdges is what is asked of each descriptor, once in its life: all that
// happens, each thing when it begins.
const epollEdges = syscall.EPOLLIN | syscall.EPOLLOUT | syscall.EPOLLRDHUP | 1<<31 // EPOLLET, which package syscall has as a negative number

func epollAdd(epoll, fd int, events uint32) error {
	e := syscall.EpollEvent{Events: events, Fd: int32(fd)}
	return syscall.EpollCtl(epoll, syscall.EPOLL_CTL_ADD, fd, &e)
}

func epollRemove(epoll, fd int) error {
	var e syscall.EpollEvent
	return syscall.EpollCtl(epoll, syscall.EPOLL_CTL_DEL, fd, &e)
}

// epollTake returns the events that are there, and waits for some milliseconds if
// there are none: the one call here that waits, and keeps its P from others
// meanwhile. It returns none if a signal comes, as it does when the collector
// stops the world.
func epollTake(epoll int, events []syscall.EpollEvent, wait int) int {
	n, _, errno := syscall.RawSyscall6(syscall.SYS_EPOLL_PWAIT, uintptr(epoll), uintptr(unsafe.Pointer(&events[0])), uintptr(len(events)), uintptr(wait), 0, 0)
	if errno != 0 {
		return 0
	}
	return int(n)
}

// dialFD begins to connect and returns the descriptor, and whether the connection
// is there already.
func dialFD(at netip.AddrPort) (fd int, connected bool, err error) {
	family, sa := sockaddr(at)
	fd, err = syscall.Socket(family, syscall.SOCK_STREAM|syscall.SOCK_NONBLOCK|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, false, err
	}
	if err = syscall.SetsockoptInt(fd, syscall.IPPROTO_TCP, syscall.TCP_NODELAY, 1); err == nil {
		err = syscall.Connect(fd, sa)
	}
	switch err {
	case nil:
		return fd, true, nil
	case syscall.EINPROGRESS:
		return fd, false, nil
	}
	sysClose(fd)
	return 0, false, err
}

// sockaddr returns an address as the system takes it, and its family.
func sockaddr(at netip.AddrPort) (family int, sa syscall.Sockaddr) {
	if a := at.Addr().Unmap(); a.Is4() {
		return syscall.AF_INET, &syscall.SockaddrInet4{Port: int(at.Port()), Addr: a.As4()}
	}
	return syscall.AF_INET6, &syscall.SockaddrInet6{Port: int(at.Port()), Addr: at.Addr().As16()}
}

// socketError returns what has become of a connection that was begun.
func socketError(fd int) error {
	n, err := syscall.GetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_ERROR)
	if err == nil && n != 0 {
		err = syscall.Errno(n)
	}
	return err
}

// peerOf returns the address in what accept says.
func peerOf(sa syscall.Sockaddr) netip.AddrPort {
	switch sa := sa.(type) {
	case *syscall.SockaddrInet4:
		return netip.AddrPortFrom(netip.AddrFrom4(sa.Addr), uint16(sa.Port))
	case *syscall.SockaddrInet6:
		return netip.AddrPortFrom(netip.AddrFrom16(sa.Addr).Unmap(), uint16(sa.Port))
	}
	return netip.AddrPort{}
}

// sysReadFile is sysRead for what isn't a socket.
func sysReadFile(fd int, b []byte) (int, syscall.Errno) {
	n, _, errno := syscall.RawSyscall(syscall.SYS_READ, uintptr(fd), uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)))
	if errno != 0 {
		return 0, errno
	}
	return int(n), 0
}

// sysWriteFile is sysWrite for what isn't a socket.
func sysWriteFile(fd int, b []byte) (int, syscall.Errno) {
	n, _, errno := syscall.RawSyscall(syscall.SYS_WRITE, uintptr(fd), uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)))
	if errno != 0 {
		return 0, errno
	}
	return int(n), 0
}

// sysSplice moves up to n bytes from one descriptor to another, one of which is a
// pipe, without waiting for either.
func sysSplice(from, to, n int) (int, syscall.Errno) {
	const move, nonblock = 1, 2 // SPLICE_F_MOVE, SPLICE_F_NONBLOCK
	moved, _, errno := syscall.RawSyscall6(syscall.SYS_SPLICE, uintptr(from), 0, uintptr(to), 0, uintptr(n), move|nonblock)
	if errno != 0 {
		return 0, errno
	}
	return int(moved), 0
}

// sysPipeSize asks for room in a pipe; it has some anyway.
func sysPipeSize(fd, n int) {
	const setSize = 1031 // F_SETPIPE_SZ
	_, _, _ = syscall.RawSyscall(syscall.SYS_FCNTL, uintptr(fd), setSize, uintptr(n))
}
