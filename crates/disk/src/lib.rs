//! Recognise, inspect, create and import disk images.
