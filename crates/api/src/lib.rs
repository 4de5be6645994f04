//! The HTTP API of Nestbox: JSON over a unix socket, WebSockets for events, consoles and displays, an OpenAPI document
//! made from the code, and the client that the command line and the window use.
//!
//! Absent on purpose: logic. A handler turns a request into one engine call.

mod access;
mod client;
mod describe;
mod display;
mod error;
#[cfg(target_os = "linux")]
mod farewell;
mod home;
mod launch;
mod routes;
mod server;
mod sockets;

pub use client::{Client, EventSocket, FilesRequest, RawResponse, RawSocket};
pub use home::layout;
pub use launch::{connect_or_start, find_service_binary, service_is_gone};
pub use server::{Listening, ServeOptions, serve};

/// Version of the API; a client that finds another asks the service to make way.
pub const API_VERSION: u32 = 1;

/// The OpenAPI document of every route, as pretty JSON.
pub fn openapi_json() -> String {
    let (_, document) = routes::all().split_for_parts();
    document.to_pretty_json().unwrap_or_default()
}
