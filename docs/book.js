// Links to files outside of the book, such as those of examples, lead to the repository. As long as `git-repository-url` in book.toml
// is not set, the names of these files are shown instead.
// The pages in Chinese say so, so that browsers choose Chinese glyphs and voices.
(() => {
  if (location.pathname.includes("/zh-CN/")) document.documentElement.lang = "zh-CN";

  const repository = document.querySelector('a[aria-label="Git repository"], a[title="Git repository"]');
  const depth = path_to_root.split("../").length - 1;

  /** Returns the path of a file from the root of the repository, or `undefined` for a page or a file of the book. */
  function outsidePath(href) {
    const path = Array(depth).fill("docs");
    let above = 0;
    for (const part of href.split("/")) {
      if (part !== "..") path.push(part);
      else if (path.pop() === undefined) above += 1;
    }
    return above > 0 ? path.join("/").replace(/\.html(?=#|$)/, ".md") : undefined;
  }

  for (const link of document.querySelectorAll("main a[href]")) {
    const href = link.getAttribute("href");
    const path = href.includes(":") ? undefined : outsidePath(href);
    if (path === undefined) continue;
    if (repository) {
      link.href = `${repository.href.replace(/\/$/, "")}/blob/HEAD/${path}`;
    } else {
      link.title = `${path} in the repository`;
      link.removeAttribute("href");
    }
  }
})();
