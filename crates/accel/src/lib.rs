//! Detect, prove and choose accelerators for each guest architecture.
