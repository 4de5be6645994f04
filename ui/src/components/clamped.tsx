interface Props {
  text: string;
  lines: number;
  className?: string;
}

/** Text that takes a few lines and is cut only beyond them; what is cut has the whole text as its tooltip. */
export function Clamped({ text, lines, className }: Props) {
  return (
    <span
      className={`clamped ${className ?? ""}`}
      style={{ WebkitLineClamp: lines }}
      onPointerEnter={({ currentTarget: place }) => {
        place.title = place.scrollHeight > place.clientHeight + 1 ? text : "";
      }}
    >
      {text}
    </span>
  );
}
