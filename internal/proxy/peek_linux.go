package proxy

import "syscall"

// finished says whether the peer has ended its side of a TCP connection, behind
// whatever hasn't been read.
func finished(fd int) bool {
	const closeWait = 8                                                                 // TCP_CLOSE_WAIT
	info, err := syscall.GetsockoptInet4Addr(fd, syscall.IPPROTO_TCP, syscall.TCP_INFO) // the first four bytes, of which tcpi_state is one
	return err == nil && info[0] == closeWait
}
