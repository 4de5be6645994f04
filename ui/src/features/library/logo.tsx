/** The nest box: roof, hole and perch. */
export function Logo() {
  return (
    <svg viewBox="0 0 24 24" className="logo" aria-hidden="true">
      <path d="M12 2.2 3.2 8.4V19A2.8 2.8 0 0 0 6 21.8h12a2.8 2.8 0 0 0 2.8-2.8V8.4z" fill="var(--text)" />
      <circle cx="12" cy="12" r="3.5" fill="var(--brand)" />
      <path d="M12 17.6v2" stroke="var(--bg-window)" strokeWidth="1.8" strokeLinecap="round" />
    </svg>
  );
}
