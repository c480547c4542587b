import { Order } from "../concurrency/order.ts";

// All stores with hashed keys over one client share a call order by their own keys.
const orders = new WeakMap<Order, Order>();

export function orderOfHashed(client: Order): Order {
  const order = orders.get(client) ?? new Order();
  orders.set(client, order);
  return order;
}
