//! HTTP API over a unix socket: types, routes, OpenAPI document, client.
