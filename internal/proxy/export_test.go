package proxy

// Remedy is what an address that can't be bound is told with.
var Remedy = remedy
