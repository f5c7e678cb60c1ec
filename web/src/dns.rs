//! Zone files (RFC 1035).
