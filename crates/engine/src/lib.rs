//! Operations and jobs over the library, the backend, disks and the catalogue.
