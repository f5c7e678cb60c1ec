//! Files are obtained from real HTTP servers that misbehave, from folders and from packages, and nothing counts unverified.

#[path = "obtain/client.rs"]
mod client;
#[path = "obtain/recipes.rs"]
mod recipes;
#[path = "obtain/server.rs"]
mod server;
#[path = "obtain/vendor.rs"]
mod vendor;
