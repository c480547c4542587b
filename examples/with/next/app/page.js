import { cacheLife, cacheTag, updateTag } from "next/cache";

async function quote() {
  "use cache";
  cacheTag("quote");
  cacheLife("hours");
  return `quote ${Math.random()}`;
}

async function refresh() {
  "use server";
  updateTag("quote");
}

export default async function Page() {
  return (
    <form action={refresh}>
      <p>{await quote()}</p>
      <button>another</button>
    </form>
  );
}
