"""Ten equations from the field's literature, as one would type them, each with its source."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Example:
    """A typed equation.

    Attributes:
        title: name of the equation.
        text: the equation, with values and ranges.
        source: publication.
    """

    title: str
    text: str
    source: str


EXAMPLES = (
    Example(
        "FitzHugh–Nagumo neuron",
        """dv = (v - v**3/3 - w + I)*dt + sigma*dW
dw = epsilon*(v + a - b*w)*dt
I = 0.5 in [0, 1.5]
epsilon = 0.08 in [0, 0.5]
a = 0.7 in [0, 1]
b = 0.8 in [0, 1]
sigma = 0.1 in [0, 1]
v(0) = -1; w(0) = -0.5
t in [0, 50]""",
        "FitzHugh (1961), Biophysical Journal 1, 445–466; Nagumo, Arimoto and Yoshizawa (1962)",
    ),
    Example(
        "Epidemic (SIR) with noisy contacts",
        """dS = -beta*S*I*dt - sigma*S*I*dW
dI = (beta*S*I - gamma*I)*dt + sigma*S*I*dW
beta = 0.5 in [0, 2]
gamma = 0.2 in [0, 1]
sigma = 0.1 in [0, 0.5]
S(0) = 0.99 in [0, 1]; I(0) = 0.01 in [0, 1]
t in [0, 50]""",
        "Tornatore, Buccellato and Vetro (2005), Physica A 354, 111–126",
    ),
    Example(
        "Black–Karasinski short rate",
        """dr = kappa*r*(theta - log(r))*dt + sigma*r ∘ dW
kappa = 0.5 in [0, 3]
theta = -3 in [-5, 0]
sigma = 0.3 in [0, 1]
r(0) = 0.03 in [0.01, 0.2]
t in [0, 10]""",
        "Black and Karasinski (1991), Financial Analysts Journal 47(4), 52–59:"
        " log r is an Ornstein–Uhlenbeck process",
    ),
    Example(
        "CKLS short rate",
        """dr = kappa*(theta - r)*dt + sigma*max(r, 0)**gamma*dW
kappa = 0.6 in [0, 3]
theta = 0.07 in [0, 0.2]
sigma = 1.2 in [0, 2]
gamma = 1.5 in [0, 2]
r(0) = 0.07 in [0, 0.2]
t in [0, 10]""",
        "Chan, Karolyi, Longstaff and Sanders (1992), Journal of Finance 47, 1209–1227",
    ),
    Example(
        "Langevin particle in a double well",
        """dq = p*dt
dp = (q - q**3 - gamma*p)*dt + sqrt(2*gamma*T)*dW
gamma = 0.5 in [0.05, 3]
T = 0.2 in [0.02, 1]
q(0) = 1 in [-2, 2]; p(0) = 0 in [-2, 2]
t in [0, 30]""",
        "Langevin (1908); Kramers (1940), Physica 7, 284–304",
    ),
    Example(
        "Stochastic Lorenz system",
        """dx = sigma*(y - x)*dt + eta*dW1
dy = (x*(rho - z) - y)*dt + eta*dW2
dz = (x*y - beta*z)*dt + eta*dW3
sigma = 10 in [0, 20]
rho = 28 in [0, 50]
beta = 2.6667 in [0, 5]
eta = 1 in [0, 5]
x(0) = 1; y(0) = 1; z(0) = 20 in [0, 40]
t in [0, 5]""",
        "Lorenz (1963), Journal of the Atmospheric Sciences 20, 130–141, with additive noise",
    ),
    Example(
        "Kuramoto pair of oscillators",
        """dtheta1 = (omega1 + K/2*sin(theta2 - theta1))*dt + sigma*dW1
dtheta2 = (omega2 + K/2*sin(theta1 - theta2))*dt + sigma*dW2
omega1 = 1 in [-3, 3]
omega2 = 1.5 in [-3, 3]
K = 1 in [0, 4]
sigma = 0.3 in [0, 2]
theta1(0) = 0; theta2(0) = 2
t in [0, 20]""",
        "Kuramoto (1975); with noise: Sakaguchi (1988), Progress of Theoretical Physics 79, 39–46",
    ),
    Example(
        "Gene expression, chemical Langevin",
        """dm = (k - gamma*m)*dt + sqrt(k + gamma*max(m, 0))*dW1
dp = (b*m - delta*p)*dt + sqrt(max(b*m + delta*p, 0))*dW2
k = 2 in [0, 10]
gamma = 0.2 in [0.05, 1]
b = 1 in [0, 5]
delta = 0.05 in [0.01, 0.5]
m(0) = 10 in [0, 50]; p(0) = 200 in [0, 500]
t in [0, 50]""",
        "Thattai and van Oudenaarden (2001), PNAS 98, 8614–8619; Gillespie (2000) for the noise",
    ),
    Example(
        "Jacobi (Wright–Fisher) diffusion",
        """dx = kappa*(theta - x)*dt + sigma*sqrt(max(x*(1 - x), 0))*dW
kappa = 1 in [0, 5]
theta = 0.4 in [0, 1]
sigma = 0.5 in [0, 2]
x(0) = 0.5 in [0, 1]
t in [0, 5]""",
        "Karlin and Taylor (1981), A Second Course in Stochastic Processes, chapter 15",
    ),
    Example(
        "Schlögl's chemical switch",
        """dx = (-k1*x**3 + k2*x**2 - k3*x + k4)*dt + sigma*dW
k1 = 1 in [0, 2]
k2 = 6 in [0, 10]
k3 = 11 in [0, 20]
k4 = 6 in [0, 10]
sigma = 0.4 in [0, 2]
x(0) = 2 in [0, 4]
t in [0, 20]""",
        "Schlögl (1972), Zeitschrift für Physik 253, 147–161",
    ),
)
