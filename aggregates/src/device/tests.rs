//! Given events, when a command, then events: one test for each rule of a device.
