//! The process that reads a guest's file systems: `nestbox __browse`, started by [`crate::Session`]. It gets its images as
//! open descriptors through its standard input, gives up everything else, and answers there.

use crate::answer::{Answers, answer};
use crate::confine::confine;
use crate::protocol::{DESCRIPTORS_PER_BATCH, REQUEST_MAX, Reason, Reply, Request, Work};
use crate::source::Region;
use nestbox_disk::Layers;
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};
use std::fs::File;
use std::io::{self, BufWriter, ErrorKind, IoSliceMut, Read, Write};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;

/// Serves the one request that comes through the standard input, and returns the exit code.
pub fn run() -> u8 {
    match try_run() {
        Ok(()) => 0,
        Err(_) => 1,
    }
}

fn try_run() -> io::Result<()> {
    let mut socket = UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
    let request = read_request(&mut socket)?;
    let files = receive(&socket, request.images.len())?;
    confine(matches!(request.work, Work::Copy { .. }))?;
    serve(&request, files, &mut socket)
}

fn serve(request: &Request, files: Vec<File>, to: &mut impl Write) -> io::Result<()> {
    let mut to = BufWriter::with_capacity(512 << 10, to);
    let mut answers = Answers::new(&mut to);
    let images = files.into_iter().zip(request.images.iter().copied()).collect();
    let done = match Layers::open(images) {
        Ok(layers) => answer(&Region::whole(Box::new(layers)), &request.work, &mut answers),
        Err(error) => {
            let failed = Reply::Failed {
                reason: Reason::Damaged,
                what: error.message,
            };
            answers.reply(&failed).and_then(|()| answers.flush())
        }
    };
    done.map_err(|_| ErrorKind::BrokenPipe.into())
}

fn read_request(socket: &mut UnixStream) -> io::Result<Request> {
    let mut length = [0; 4];
    socket.read_exact(&mut length)?;
    let length = u32::from_le_bytes(length);
    if length > REQUEST_MAX {
        return Err(ErrorKind::InvalidData.into());
    }
    let mut json = vec![0; length as usize];
    socket.read_exact(&mut json)?;
    serde_json::from_slice(&json).map_err(Into::into)
}

/// Takes `count` descriptors, which come in batches beside one byte each.
fn receive(socket: &UnixStream, count: usize) -> io::Result<Vec<File>> {
    let mut files = Vec::new();
    while files.len() < count {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS_PER_BATCH))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let mut byte = [0];
        let got = recvmsg(
            socket,
            &mut [IoSliceMut::new(&mut byte)],
            &mut control,
            RecvFlags::empty(),
        )?;
        let before = files.len();
        for message in control.drain() {
            if let RecvAncillaryMessage::ScmRights(descriptors) = message {
                files.extend(descriptors.map(|descriptor: OwnedFd| File::from(descriptor)));
            }
        }
        if got.bytes == 0 || files.len() == before {
            return Err(ErrorKind::UnexpectedEof.into());
        }
    }
    Ok(files)
}
