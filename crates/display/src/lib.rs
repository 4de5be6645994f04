//! Guest displays over RFB: frames, cursor, input, screenshots.
