//! The QEMU backend: spec to command line, launch, adopt, QMP.
