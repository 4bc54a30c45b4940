import { useState } from "react";

export interface Row {
  name: string;
  naïveSum: number;
}

export function sortedRows(rows: Row[]): Row[] {
  return [...rows].sort((a, b) => a.name.localeCompare(b.name, "de"));
}

export default function PriceTable({ rows }: { rows: Row[] }) {
  const [open, setOpen] = useState(false);
  const toggleOpen = () => setOpen(!open);
  return (
    <table onClick={toggleOpen} hidden={!open}>
      {sortedRows(rows).map((row) => (
        <tr key={row.name}>
          <td>{row.name}</td>
          <td>{row.naïveSum} €</td>
        </tr>
      ))}
    </table>
  );
}
