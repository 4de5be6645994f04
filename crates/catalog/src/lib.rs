//! Templates, downloads, verification, cache, cloud-init seeds.
