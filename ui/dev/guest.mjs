/** Guest pictures for the fixtures: SVG scenes that look like screens. Development only. */
const esc = (text) => text.replace(/&/g, "&amp;").replace(/</g, "&lt;");
const svg = (body, w = 1280, h = 800) =>
  `<svg xmlns="http://www.w3.org/2000/svg" width="${w}" height="${h}" viewBox="0 0 ${w} ${h}">${body}</svg>`;

const text = (lines, { x = 14, y = 28, step = 22, size = 17, fill = "#cfd3da" } = {}) =>
  lines
    .map((line, i) => {
      const [color, words] = Array.isArray(line) ? line : [fill, line];
      return `<text x="${x}" y="${y + i * step}" font-family="monospace" font-size="${size}" fill="${color}" xml:space="preserve">${esc(words)}</text>`;
    })
    .join("");

const GREEN = "#8fd694";
const window_ = (x, y, w, h, title, body, dark) =>
  `<rect x="${x}" y="${y}" width="${w}" height="${h}" rx="12" fill="${dark ? "#17141f" : "#fbfaf8"}"/>` +
  `<path d="M${x} ${y + 12}a12 12 0 0 1 12-12h${w - 24}a12 12 0 0 1 12 12v24h-${w}z" fill="${dark ? "#26222f" : "#e9e7e3"}"/>` +
  `<text x="${x + w / 2}" y="${y + 24}" font-family="sans-serif" font-size="14" text-anchor="middle" fill="${dark ? "#d8d4e2" : "#333"}">${title}</text>${body}`;

function desktop(hour) {
  const folder = (x, y, name) =>
    `<path d="M${x} ${y}h32l8 10h44v50h-84z" fill="#e0945a"/><rect x="${x}" y="${y + 18}" width="84" height="42" fill="#eaa36c"/><text x="${x + 42}" y="${y + 82}" font-family="sans-serif" font-size="14" text-anchor="middle" fill="#333">${name}</text>`;
  return svg(
    `<defs><linearGradient id="g" x2="0" y2="1"><stop offset="0" stop-color="#3b2a63"/><stop offset=".7" stop-color="#8a5183"/><stop offset="1" stop-color="#b9697b"/></linearGradient></defs>
     <rect width="1280" height="800" fill="url(#g)"/>
     <path d="M0 560q180-70 360 10t420-40 500-30v300H0z" fill="#5a3a72"/><path d="M0 660q240-70 520 0t760-60v200H0z" fill="#3d2b5c"/><path d="M0 740q300-40 600 0t680-20v80H0z" fill="#2b2048"/>
     <rect width="1280" height="30" fill="#121216"/><text x="640" y="20" font-family="sans-serif" font-size="14" fill="#fff" text-anchor="middle">Tue 24 Nov ${hour}</text>
     <rect x="16" y="84" width="56" height="320" rx="14" fill="#221b33"/>
     ${["#e06c34", "#2f3440", "#3b7dd8", "#5b9a4b", "#8d5fd0"].map((c, i) => `<rect x="24" y="${94 + i * 60}" width="40" height="40" rx="10" fill="${c}"/>`).join("")}
     ${window_(470, 90, 700, 430, "Projects", `<rect x="470" y="126" width="170" height="382" fill="#f0eeea"/>${["Home", "Documents", "Downloads", "Projects"].map((n, i) => `<text x="494" y="${170 + i * 34}" font-family="sans-serif" font-size="15" fill="#333">${n}</text>`).join("")}${["nestbox", "firmware", "notes", "images"].map((n, i) => folder(674 + i * 122, 168, n)).join("")}${folder(674, 304, "bench")}`, false)}
     ${window_(125, 286, 640, 420, "builder@ubuntu: ~/nestbox", text([[GREEN, "builder@ubuntu:~/nestbox$ cargo test --workspace"], "   Compiling nestbox-model v0.1.0", "   Compiling nestbox-qemu v0.1.0", "    Finished `test` profile in 38.20s", "running 212 tests", "................................................", "test result: ok. 212 passed; 0 failed", "", [GREEN, "builder@ubuntu:~/nestbox$ git log --oneline -3"], ["#e0b35c", "4be19d0 Keep the disk chain when a restore is undone"], ["#e0b35c", "a70c3f2 Measure the display path end to end"], ["#e0b35c", "19d7e55 Name every control"], [GREEN, "builder@ubuntu:~/nestbox$ ▮"]], { x: 150, y: 350, step: 26 }), true)}`,
  );
}

const BOOT = [
  "[    0.000000] Linux version 6.8.0-48-generic (buildd@lcy02) #48-Ubuntu SMP",
  "[    0.412034] virtio_blk virtio1: [vda] 41943040 512-byte logical blocks",
  "[    1.031442] EXT4-fs (vda1): mounted filesystem with ordered data mode",
  "[  OK  ] Started systemd-networkd.service - Network Configuration.",
  "[  OK  ] Reached target network-online.target - Network is Online.",
  "[  OK  ] Finished cloud-init.service - Initial cloud-init job.",
  "",
  "Ubuntu 24.04.3 LTS ubuntu-arm64 ttyAMA0",
  "",
  "ubuntu-arm64 login: ▮",
];
const ALPINE = ["Welcome to Alpine Linux 3.22", "Kernel 6.12.13-0-virt on an x86_64 (/dev/tty1)", "", "router login: root", "Password:", "router:~# rc-status", [GREEN, "Runlevel: default"], "  networking                    [  started  ]", "  nftables                      [  started  ]", "  sshd                          [  started  ]", "router:~# ▮"];
const HTOP = Array.from({ length: 24 }, (_, i) => (i < 4 ? [GREEN, `  ${i} [${"|".repeat(12 + ((i * 7) % 20)).padEnd(44)} ${20 + i * 9}.2%]`] : i === 4 ? "" : `${1000 + i * 37} www-data  20   0  ${210 + i}M  ${40 + i}M S  ${i % 5}.3  0:${10 + i}.42 nginx: worker process`));

const console_ = (lines) => svg(`<rect width="1280" height="800" fill="#000"/>${text(lines)}`);
const terminal = (lines, bg) => svg(`<rect width="1280" height="800" fill="${bg}"/>${text(lines, { size: 20, step: 28, y: 40, x: 24 })}`);

export function scene(name, tick = 0) {
  switch (name) {
    case "desktop":
      return desktop(`14:${String(16 + (tick % 40)).padStart(2, "0")}`);
    case "desktop-clean":
      return svg(`<defs><linearGradient id="g" x2="0" y2="1"><stop offset="0" stop-color="#3b2a63"/><stop offset="1" stop-color="#b9697b"/></linearGradient></defs><rect width="1280" height="800" fill="url(#g)"/><circle cx="880" cy="260" r="90" fill="#f5c9a0"/><path d="M0 560q180-70 360 10t420-40 500-30v300H0z" fill="#5a3a72"/><path d="M0 700q300-60 640 0t640-40v140H0z" fill="#2b2048"/><rect width="1280" height="30" fill="#121216"/>`);
    case "fedora":
      return svg(`<rect width="1280" height="800" fill="#2a3d5c"/><path d="M0 620q300-120 640-20t640-60v260H0z" fill="#1c2a44"/>${window_(260, 150, 760, 480, "Text Editor", text(["# Release checklist", "", "- [x] Build the image", "- [x] Boot it under UEFI", "- [ ] Boot it under BIOS", "- [ ] Sign the checksums"], { x: 300, y: 230, fill: "#333", size: 19, step: 30 }), false)}`);
    case "boot":
      return console_(BOOT);
    case "alpine":
      return terminal(ALPINE, "#0b1420");
    case "htop":
      return terminal(HTOP, "#0c0f12");
    case "uefi":
      return console_(["BdsDxe: loading Boot0001 \"UEFI Misc Device\" from PciRoot(0x0)/Pci(0x2,0x0)", "BdsDxe: starting Boot0001 \"UEFI Misc Device\""]);
    default:
      return console_(["SeaBIOS (version 1.16.3)", "", "Booting from Hard Disk..."]);
  }
}
