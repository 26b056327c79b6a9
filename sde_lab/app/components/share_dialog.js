// The address of this page: to copy, and as a picture that phones read. The server draws the picture
// of the address it is told, so this first tells it.

function create(parentElement) {
  const root = document.createElement("div");
  root.className = "lab-share";
  root.innerHTML = `
    <div class="lab-share-row">
      <input type="text" readonly aria-label="Link to this page" />
      <button type="button">Copy link</button>
    </div>
    <p role="status"></p>
    <img alt="QR code of the link" hidden />`;
  const [input, button] = root.querySelectorAll("input, button");
  input.addEventListener("focus", () => input.select());
  button.addEventListener("click", () => copy(input, root.querySelector("p")));
  parentElement.append(root);
  return root;
}

// Browsers lend the clipboard only to pages on https or localhost; elsewhere the old way may work,
// and if not, the link stands there selected.
async function copy(input, status) {
  input.focus();
  input.select();
  try {
    await navigator.clipboard.writeText(input.value);
  } catch {
    if (!document.execCommand("copy")) {
      status.textContent = "The link is selected: copy it with Ctrl+C, or ⌘C on a Mac.";
      return;
    }
  }
  status.textContent = "Copied.";
}

export default function ({ data, parentElement, setStateValue }) {
  const root = parentElement.querySelector(".lab-share") ?? create(parentElement);
  const here = window.location.href;
  if (data.told !== here) setStateValue("here", here);
  const [input, picture] = root.querySelectorAll("input, img");
  input.value = data.told === here ? data.link : here;
  picture.hidden = data.told !== here || !data.picture;
  if (!picture.hidden) picture.src = data.picture;
}
