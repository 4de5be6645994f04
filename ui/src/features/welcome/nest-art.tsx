/** A kingfisher looks out of its nest box. */
export function NestArt() {
  return (
    <svg className="nest-art" width="148" height="140" viewBox="0 0 148 140" fill="none" aria-hidden="true">
      <ellipse cx="74" cy="130" rx="44" ry="5" fill="var(--bg-hover)" />
      <path d="M74 18 30 50v62a12 12 0 0 0 12 12h64a12 12 0 0 0 12-12V50z" fill="var(--brand-soft)" />
      <path d="M30 112a12 12 0 0 0 12 12h64a12 12 0 0 0 12-12v-9H30z" fill="var(--brand)" opacity=".16" />
      <path
        d="M16 60 74 18l58 42"
        stroke="var(--brand)"
        strokeWidth="9"
        strokeLinecap="round"
        strokeLinejoin="round"
      />
      <clipPath id="nest-hole">
        <circle cx="74" cy="74" r="21" />
      </clipPath>
      <circle cx="74" cy="74" r="21" fill="var(--art-hole)" />
      <g clipPath="url(#nest-hole)">
        <circle cx="70" cy="86" r="18" fill="var(--art-bird)" />
        <path d="M56 92c4-10 18-14 27-8l3 14H54z" fill="var(--art-breast)" />
        <path d="M84 78l14 3-13 5z" fill="var(--art-beak)" />
        <circle cx="77" cy="79" r="3.2" fill="var(--art-eye)" />
        <circle cx="78" cy="79" r="1.7" fill="var(--art-pupil)" />
        <path d="M57 82c-3-8 3-15 12-15" stroke="var(--art-crest)" strokeWidth="2.5" strokeLinecap="round" />
      </g>
      <circle cx="74" cy="74" r="22" stroke="var(--brand)" strokeWidth="2.5" />
      <path d="M74 106v9" stroke="var(--brand)" strokeWidth="6" strokeLinecap="round" />
    </svg>
  );
}
