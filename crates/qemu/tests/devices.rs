//! What hands and eyes do: media, ports, keys, pictures, numbers.

#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod common;

use common::{Place, event, overlay, until};
use nestbox_model::{LinkState, NicId, PortForward, Protocol};
use nestbox_qemu::{ImageRef, NicPlan, SessionEvent};
use std::net::TcpListener;

fn tcp(host: u16, guest: u16) -> PortForward {
    PortForward {
        protocol: Protocol::Tcp,
        host,
        guest,
    }
}

#[tokio::test]
async fn forwards_come_and_go_and_taken_ports_are_told() {
    let place = Place::new();
    let mut plan = place.plan();
    let nic = NicId::random();
    plan.nics = vec![NicPlan {
        id: nic.clone(),
        mac: "52:54:00:00:00:01".into(),
        link: LinkState::Down,
        forwards: vec![tcp(0, 22)],
    }];
    let session = place.launch(&plan).await;
    let at_start = session.forwards().await.unwrap();
    assert_eq!((at_start.len(), at_start[0].guest), (1, 22));
    assert_ne!(at_start[0].host, 0, "the real port is told");

    let added = session.add_forward(&nic, tcp(0, 80)).await.unwrap();
    assert!(added.host != 0 && added.guest == 80);
    std::net::TcpStream::connect(("127.0.0.1", added.host)).unwrap();
    let udp = PortForward {
        protocol: Protocol::Udp,
        host: 0,
        guest: 53,
    };
    let udp = session.add_forward(&nic, udp).await.unwrap();
    assert_eq!(session.forwards().await.unwrap().len(), 3);

    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let error = session.add_forward(&nic, tcp(port, 80)).await.unwrap_err();
    assert_eq!(error.code, "port-taken", "{error:?}");
    assert!(error.message.contains(&port.to_string()));
    assert_eq!(
        session
            .add_forward(&NicId::random(), tcp(0, 80))
            .await
            .unwrap_err()
            .code,
        "nic-not-found"
    );

    session.remove_forward(&nic, added).await.unwrap();
    assert!(std::net::TcpStream::connect(("127.0.0.1", added.host)).is_err());
    assert_eq!(
        session.remove_forward(&nic, added).await.unwrap_err().code,
        "forward-not-found"
    );
    session.remove_forward(&nic, udp).await.unwrap();
    assert_eq!(session.forwards().await.unwrap(), at_start);
    session.set_link(&nic, true).await.unwrap();
    session.set_link(&nic, false).await.unwrap();
    session.end().await.unwrap();

    // At launch as well.
    plan.nics[0].forwards = vec![tcp(port, 22)];
    use nestbox_qemu::Backend;
    let error = place.backend.launch(&plan).await.err().unwrap();
    assert_eq!(error.code, "port-taken", "{error:?}");
    assert!(error.message.contains(&port.to_string()));
}

#[tokio::test]
async fn media_are_put_in_and_thrown_out_while_it_runs() {
    let place = Place::new();
    let mut plan = place.plan();
    // A machine started from a CD: the boot sector says so on the serial port.
    let outside = tempfile::tempdir().unwrap();
    let first = outside.path().join("first, “disc”.iso");
    let second = outside.path().join("second.iso");
    std::fs::write(&first, vec![1; 64 << 10]).unwrap();
    std::fs::write(&second, vec![2; 128 << 10]).unwrap();
    plan.medium = Some(first.clone());
    let session = place.launch(&plan).await;
    session.insert_medium(&second).await.unwrap();
    let error = session
        .insert_medium(&outside.path().join("none.iso"))
        .await
        .unwrap_err();
    assert_eq!(error.code, "file-not-found");
    assert_eq!(
        session.insert_medium(outside.path()).await.unwrap_err().code,
        "not-a-file"
    );
    session.eject_medium().await.unwrap();
    session.eject_medium().await.unwrap();
    session.insert_medium(&first).await.unwrap();
    drop(session);
    let session = place.adopt(&plan).await;
    session.insert_medium(&second).await.unwrap();
    session.insert_medium(&first).await.unwrap();
    session.eject_medium().await.unwrap();
    // Nothing of them stays open.
    let open = std::fs::read_dir(format!("/proc/{}/fd", session.pid())).unwrap();
    let held = open.flatten().filter_map(|fd| std::fs::read_link(fd.path()).ok());
    assert_eq!(held.filter(|path| path.starts_with(outside.path())).count(), 0);
    session.end().await.unwrap();
}

#[tokio::test]
async fn a_machine_starts_from_its_medium() {
    let place = Place::new();
    let mut plan = place.plan();
    let iso = place.path("boot.iso");
    std::fs::write(&iso, el_torito()).unwrap();
    plan.medium = Some(iso);
    plan.disks = vec![place.disk(&plan, "empty.qcow2")];
    let session = place.launch(&plan).await;
    until("it did not start from the CD", || {
        common::serial(&plan).contains("CD")
    })
    .await;
    session.end().await.unwrap();
}

/// A CD whose boot image prints "CD" on the first serial port for ever.
fn el_torito() -> Vec<u8> {
    let mut image = vec![0; 24 * 2048];
    let sector = |number: usize| number * 2048;
    let put =
        |image: &mut Vec<u8>, at: usize, bytes: &[u8]| image[at..at + bytes.len()].copy_from_slice(bytes);
    put(&mut image, sector(16), b"\x01CD001\x01");
    put(&mut image, sector(17), b"\x00CD001\x01EL TORITO SPECIFICATION");
    put(&mut image, sector(17) + 0x47, &19_u32.to_le_bytes());
    put(&mut image, sector(18), b"\xffCD001\x01");
    // Validation entry with its checksum, then the default entry: bootable, no emulation, 4 sectors at 20.
    put(&mut image, sector(19), &[1, 0, 0, 0]);
    put(&mut image, sector(19) + 28, &[0xaa, 0x55, 0x55, 0xaa]);
    put(
        &mut image,
        sector(19) + 32,
        &[0x88, 0, 0, 0, 0, 0, 4, 0, 20, 0, 0, 0],
    );
    // mov dx,3f8h; mov al,'C'; out dx,al; mov al,'D'; out dx,al; mov ecx,1000000; dec ecx; jnz; jmp
    let code = b"\xba\xf8\x03\xb0C\xee\xb0D\xee\x66\xb9\x40\x42\x0f\x00\x66\x49\x75\xfc\xeb\xeb";
    put(&mut image, sector(20), code);
    image
}

#[tokio::test]
async fn pictures_keys_and_text() {
    let place = Place::new();
    let plan = place.plan();
    let session = place.launch(&plan).await;
    let png = place.path("picture of “it”.png");
    session.screenshot(&png).await.unwrap();
    let picture = image::open(&png).unwrap();
    assert!(
        picture.width() >= 320 && picture.height() >= 200,
        "{}x{}",
        picture.width(),
        picture.height()
    );
    assert!(session.screenshot(&place.path("no/folder/p.png")).await.is_err());

    session
        .send_keys(&["ctrl-alt-f2".into(), "ret".into()])
        .await
        .unwrap();
    assert_eq!(
        session
            .send_keys(&["ret".into(), "nokey".into()])
            .await
            .unwrap_err()
            .code,
        "bad-key"
    );
    let missing = session
        .type_text("ls -l /etc | grep \"A~\" ö€\r\n")
        .await
        .unwrap();
    assert_eq!(missing, ['ö', '€']);
    // Ctrl-Alt-Del really arrives: the firmware starts anew.
    let mut events = session.subscribe();
    for _ in 0..20 {
        session.send_keys(&["ctrl-alt-delete".into()]).await.unwrap();
        if let Ok(SessionEvent::Reset) = events.try_recv() {
            session.end().await.unwrap();
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    }
    event(&mut events, |event| *event == SessionEvent::Reset).await;
    session.end().await.unwrap();
}

#[tokio::test]
async fn counters_grow_and_a_full_chain_starts() {
    let place = Place::new();
    let mut plan = place.counting_plan();
    // Three layers deep.
    for layer in ["a.qcow2", "b, c.qcow2"] {
        let top = place.disks(&plan).join(layer);
        overlay(&plan.disks[0].chain[0].path, &top);
        let image = ImageRef {
            path: top,
            format: nestbox_model::ImageFormat::Qcow2,
        };
        plan.disks[0].chain.insert(0, image);
    }
    let session = place.launch(&plan).await;
    common::counted_past(&plan, 3).await;
    let first = session.counters().await.unwrap();
    assert!(first.memory_resident > 1 << 20 && first.disk_written_bytes > 0 && first.disk_read_bytes > 0);
    common::counted_past(&plan, 30).await;
    let second = session.counters().await.unwrap();
    assert!(second.disk_written_bytes > first.disk_written_bytes);
    assert!(second.cpu_seconds > first.cpu_seconds);
    assert!(session.screenshot(&place.path("p.png")).await.is_ok());
    session.end().await.unwrap();
}
