//! Real guests, a local mirror and a test home for the tests.

pub mod mirror;
