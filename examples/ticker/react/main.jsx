import { createRoot } from "react-dom/client";
import { connect } from "sse-broadcaster";
import { useChannel } from "sse-broadcaster/react";

const hub = connect("http://127.0.0.1:8080");

function PriceTable() {
  const { events } = useChannel(hub, "ticker", { history: 3 });
  const prices = Object.entries(Object.fromEntries(events.map(({ type, data }) => [type, data])));
  return (
    <table>
      <tbody>
        {prices.map(([symbol, price]) => (
          <tr key={symbol}>
            <th scope="row">{symbol}</th>
            <td>{price}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

createRoot(document.getElementById("app")).render(<PriceTable />);
